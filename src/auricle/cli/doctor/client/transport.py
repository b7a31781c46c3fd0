"""What uploads and streams share: keys, TLS and busy servers."""

import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from auricle.protocol.client_profile import ClientProfile, KeyScheme

TLS_PROBE_S = 5.0
MAX_RETRIES = 5
MAX_RETRY_S = 5.0
"""Maximum delay before a busy server is tried again; a longer one would hide the finding."""


def key_headers(style: KeyScheme, key: str) -> dict[str, str]:
    """Return the headers with which a program sends its key.

    A password in the URL (``KeyScheme.BASIC``) becomes a header where the request is sent.
    """
    match style:
        case KeyScheme.BEARER:
            return {"Authorization": f"Bearer {key}"}
        case KeyScheme.TOKEN:
            return {"Authorization": f"Token {key}"}
        case KeyScheme.SUBPROTOCOL | KeyScheme.BASIC | KeyScheme.NONE:
            return {}


def program_headers(profile: ClientProfile, key: str) -> dict[str, str]:
    """Return the headers of a program's requests that the server checks: key and origin."""
    origin = {"Origin": profile.origin} if profile.origin else {}
    return key_headers(profile.key, key) | origin


def shown_url(url: str) -> str:
    """Return a URL without its password, for the terminal."""
    parts = urlsplit(url)
    account, has_account, address = parts.netloc.rpartition("@")
    user = account.partition(":")[0]
    return parts._replace(netloc=f"{user}:KEY@{address}").geturl() if has_account else url


def uses_tls(url: str) -> bool:
    """Return whether a server at an unencrypted URL uses TLS; sends nothing but a handshake."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "ws"):
        return False
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = (parts.hostname or "", parts.port or 80)
    try:
        with (
            socket.create_connection(address, TLS_PROBE_S) as plain,
            context.wrap_socket(plain),
        ):
            return True
    except OSError:
        return False


def retry_after_s(status: int, headers: Mapping[str, str]) -> float | None:
    """Return the delay that a busy server requests, in seconds; ``None`` if it is not busy."""
    text = headers.get("Retry-After", "")
    if status not in (429, 503) or not text.isdecimal():
        return None
    return min(float(text), MAX_RETRY_S)
