"""The key in a request, and errors of the network as text."""

import socket
import ssl

from auricle.values.errors import SetupError


def key_headers(api_key: str | None) -> dict[str, str]:
    """Return the header with the key, if there is one, as text to be sent as Latin-1.

    Raises:
        SetupError: A header can't carry the key.
    """
    if api_key is None:
        return {}
    if not api_key or not api_key.isprintable() or api_key != api_key.strip():
        raise SetupError("Invalid API key: it is empty, or has a line break or a space at an end.")
    return {"Authorization": f"Bearer {api_key}".encode().decode("latin-1")}  # bytes of UTF-8


def describe_failure(error: BaseException) -> str:
    """Return a readable reason for a connection error."""
    match error:
        case ssl.SSLCertVerificationError():
            why = error.verify_message
            return f"TLS certificate is not trusted ({why}); set SSL_CERT_FILE=FILE to add a CA"
        case ssl.SSLError():
            return "TLS handshake failed; the server may not use TLS"
        case socket.gaierror():
            return "host name not found"
        case ConnectionRefusedError():
            return "connection refused"
        case TimeoutError():
            return "connection timed out"
        case _:
            return f"connection failed ({getattr(error, 'strerror', None) or type(error).__name__})"
