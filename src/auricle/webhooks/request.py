"""Webhook requests: URLs, addresses and signatures. No I/O.

Requests are signed as the Standard Webhooks specification 1.0.0 says, so that receivers can verify
them with a library: ``webhook-signature: v1,`` and the Base64 of an HMAC-SHA256 of
``{webhook-id}.{webhook-timestamp}.{body}``.

Callers choose the URL, and must not reach hosts that only this server can reach. So the address
that is connected to has to be public (RFC 6890), also if it is embedded in an IPv6 address.
Redirects are not followed.
"""

import base64
import hashlib
import hmac
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from auricle.values.errors import BadRequest

MAX_URL_CHARACTERS = 2048
SECRET_PREFIX = "whsec_"

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the low 32 bits
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215: routed inside one site


@dataclass(frozen=True, slots=True)
class Payload:
    """What an event sends: a method and a JSON body."""

    method: str
    body: bytes


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A signed request to a receiver."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def check_callback_url(url: str, *, allow_private: bool, field: str) -> None:
    """Check that a webhook may be sent to a URL; host names are resolved and checked later.

    Args:
        url: The URL.
        allow_private: Whether private addresses are permitted.
        field: Name of the URL in the request, for errors.

    Raises:
        BadRequest: It isn't an HTTP URL, contains a password, or names a private address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadRequest(f"{field} is not a valid URL.", field) from None
    is_printable = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not host or not is_printable:
        raise BadRequest(f"{field} must be an absolute http or https URL.", field)
    if len(url) > MAX_URL_CHARACTERS:
        raise BadRequest(f"{field} may have at most {MAX_URL_CHARACTERS} characters.", field)
    if parts.username is not None or parts.password is not None:
        raise BadRequest(f"{field} must not contain a user name or password.", field)
    if not allow_private and _is_private_literal(host):
        raise BadRequest(f"{field} must not be a private address.", field)


def is_public(address: str) -> bool:
    """Return whether an IP address, without zone, is reachable from the whole internet."""
    return _is_public(ipaddress.ip_address(address))


def new_request(
    url: str, payload: Payload, *, event_id: str, secret: bytes, timestamp: int
) -> WebhookRequest:
    """Return the request for an event, signed for this attempt.

    Args:
        url: The receiver.
        payload: The event.
        event_id: Stable id of the event.
        secret: The secret shared with the receiver.
        timestamp: Unix time of the attempt in seconds.
    """
    headers = {
        "content-type": "application/json",
        "user-agent": "auricle",
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, event_id, timestamp, payload.body),
    }
    return WebhookRequest(payload.method, url, headers, payload.body)


def signature(secret: bytes, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``."""
    signed = b".".join((event_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def secret_of_owner(server_secret: bytes, owner: str) -> bytes:
    """Return the secret of one key, derived from the server's."""
    return hmac.digest(server_secret, b"auricle webhook\0" + owner.encode(), hashlib.sha256)


def written_secret(secret: bytes) -> str:
    """Return a secret as receivers' libraries expect it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def _is_private_literal(host: str) -> bool:
    """Return whether a host is a private address in any form that name lookups accept."""
    name = host.rstrip(".").lower()
    try:
        # 127.1, 0x7f000001 and 2130706433 are 127.0.0.1 (inet_aton(3)).
        return not _is_public(ipaddress.IPv4Address(socket.inet_aton(name)))
    except OSError:
        pass
    try:
        return not is_public(name.partition("%")[0])
    except ValueError:
        return name.endswith("localhost")  # RFC 6761 §6.3


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        embedded = _embedded(address)
        if embedded is not None:
            return _is_public(embedded)
        if address in _LOCAL_NAT64 or address.is_site_local or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that packets to an IPv6 address may reach."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return low if address in _NAT64 else None
