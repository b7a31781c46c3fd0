"""Errors of the network, as text."""

import socket
import ssl


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
