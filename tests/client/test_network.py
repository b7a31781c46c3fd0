"""The key of a request, and errors of the network as text."""

import socket
import ssl

import pytest

from auricle.client.network import describe_failure, key_headers
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


def test_a_key_is_a_header() -> None:
    assert key_headers("secret") == {"Authorization": "Bearer secret"}
    assert key_headers(None) == {}


@pytest.mark.parametrize("key", ["", "secret\n", " secret", "a\r\nHost: b"])
def test_a_key_that_a_header_cant_carry_is_reported(key: str) -> None:
    with pytest.raises(SetupError, match="Invalid API key"):
        key_headers(key)


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (untrusted(), "TLS certificate is not trusted (self-signed certificate)"),
        (ssl.SSLError(), "the server may not use TLS"),
        (socket.gaierror(), "host name not found"),
        (ConnectionRefusedError(), "connection refused"),
        (TimeoutError(), "connection timed out"),
        (OSError(113, "No route to host"), "connection failed (No route to host)"),
        (EOFError(), "connection failed (EOFError)"),
    ],
)
def test_the_reason_is_readable(error: BaseException, text: str) -> None:
    assert text in describe_failure(error)
