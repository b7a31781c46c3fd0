"""What uploads and streams share: keys and TLS."""

import socket
import ssl
from urllib.parse import urlsplit

from auricle.cli.doctor.client.profile import KeyStyle

TLS_PROBE_S = 5.0


def key_headers(style: KeyStyle, key: str) -> dict[str, str]:
    """Return the headers with which a program sends its key."""
    match style:
        case KeyStyle.BEARER:
            return {"Authorization": f"Bearer {key}"}
        case KeyStyle.TOKEN:
            return {"Authorization": f"Token {key}"}
        case KeyStyle.SUBPROTOCOL | KeyStyle.NONE:
            return {}


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
