"""Who may use the service.

Speech comes in with a key once any is configured; without one the server binds to loopback only.
``/livez``, ``/readyz``, ``/health``, ``/metrics`` and ``/openapi.json`` are open: probes carry no
key, and nothing there tells what anybody said. Crash stacks are shown to the operator's key only.
"""

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.datastructures import Headers

from auricle.config import ServerSettings
from auricle.errors import ForbiddenOrigin, SetupError, Unauthorized
from auricle.types import ANONYMOUS, ClientId

_SCHEME = "bearer "
_KEY = "key."
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_HTTP = {"ws": "http", "wss": "https"}
"""What a page's own scheme is, if its WebSocket has this one."""


class Keyring:
    """The keys that are known, by their hashes; comparing takes the same time for each."""

    def __init__(self, keys: Sequence[SecretStr], operator_key: SecretStr | None = None) -> None:
        self._clients = [_named(key.get_secret_value()) for key in keys]
        self._operator = (
            None if operator_key is None else _hashed(operator_key.get_secret_value().encode())
        )

    @property
    def has_keys(self) -> bool:
        """Whether a key is asked for at all."""
        return bool(self._clients)

    def identify(self, headers: Headers, subprotocols: Sequence[str] = ()) -> ClientId:
        """Return whose key came with a request.

        Args:
            headers: The request's.
            subprotocols: Those that a WebSocket offers: a browser, which can't set headers there,
                gives its key as ``key.KEY``.

        Raises:
            Unauthorized: No key, or one that isn't known.
        """
        if not self._clients:
            return ANONYMOUS
        presented, found = _hashed(_bearer(headers) or _offered(subprotocols)), None
        for known, client in self._clients:
            if hmac.compare_digest(presented, known):
                found = client
        if found is None:
            raise Unauthorized("Send a valid key: `Authorization: Bearer KEY`.")
        return found

    def is_operator(self, headers: Headers) -> bool:
        """Return whether the operator's key came with a request."""
        if self._operator is None:
            return False
        return hmac.compare_digest(_hashed(_bearer(headers)), self._operator)


def _bearer(headers: Headers) -> bytes:
    value = headers.get("authorization", "")
    key = value[len(_SCHEME) :].strip() if value.lower().startswith(_SCHEME) else ""
    return key.encode("latin-1")  # the bytes as they came


def _offered(subprotocols: Sequence[str]) -> bytes:
    keys = (name[len(_KEY) :] for name in subprotocols if name.startswith(_KEY))
    return next(keys, "").encode("latin-1")  # as above


def _named(setting: str) -> tuple[bytes, ClientId]:
    """Return the hash and the client's name of ``key`` or ``name:key``."""
    name, colon, key = setting.partition(":")
    if not colon:
        digest = _hashed(setting.encode())
        return digest, ClientId(f"key-{digest.hex()[:8]}")
    if not name or not key:
        raise SetupError("AURICLE_API_KEYS holds an empty name or key; write `key` or `name:key`.")
    return _hashed(key.encode()), ClientId(name)


def _hashed(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def check_exposure(settings: ServerSettings) -> None:
    """Refuse to be reachable from other machines without keys.

    Raises:
        SetupError: The host isn't loopback and there are no keys, or the host is unknown.
    """
    if not settings.api_keys and not is_loopback(settings.host):
        raise SetupError(
            f"Listening on {settings.host} lets other machines in, so keys are needed: set "
            "AURICLE_API_KEYS=name:key, or keep AURICLE_HOST=127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    """Return whether a name or address is reachable from this machine alone.

    Raises:
        SetupError: The name is unknown.
    """
    if not host:
        return False  # every interface
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SetupError(f"AURICLE_HOST={host} is not an address of this machine.") from error
    return all(ipaddress.ip_address(str(entry[4][0]).split("%")[0]).is_loopback for entry in found)


def check_origin(headers: Headers, scheme: str, *, has_keys: bool) -> None:
    """Refuse what a page of another origin makes a browser send.

    Without keys the page has to be a local one as well: else any site could point its own name at
    this machine (DNS rebinding), and then its origin and the host asked for would be the same.

    Raises:
        ForbiddenOrigin: The request comes from such a page.
    """
    origin = headers.get("origin")
    if origin is None:
        return  # not a browser, or a page of our own that only reads
    there = _host_and_port(origin)
    here = _host_and_port(f"{scheme}://{headers.get('host', '')}")
    # Behind a proxy that ends TLS the schemes differ, and so may a port that is left out.
    is_same = there is not None and here is not None and there[0] == here[0]
    is_same = is_same and (there == here or _HTTP.get(scheme, scheme) != urlsplit(origin).scheme)
    if not is_same or (not has_keys and there is not None and not _is_local_name(there[0])):
        raise ForbiddenOrigin("Pages of other sites may not use this service.")


def _host_and_port(url: str) -> tuple[str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.hostname is None:
        return None
    return parts.hostname, port or _DEFAULT_PORTS.get(parts.scheme)


def _is_local_name(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
