"""Errors of the network, as text."""

import socket
import ssl

import pytest

from auricle.client.network import describe_failure

pytestmark = pytest.mark.unit


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
