"""Errors of the network."""

import socket
import ssl

import httpx2 as httpx
import pytest

from auricle.client.api.transport import (
    certificate_errors,
    is_cut_off,
    network_errors,
    timeout_of,
)
from auricle.values.errors import SetupError, Unreachable

pytestmark = pytest.mark.unit


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_message = "self-signed certificate"
    return error


URL = "https://captions.example"


def test_connecting_takes_no_longer_than_the_rest() -> None:
    assert timeout_of(60).connect == 10
    assert timeout_of(3).connect == 3


def test_a_server_without_an_answer_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="host name not found"), network_errors(URL):
        raise httpx.ConnectError("") from socket.gaierror()
    with pytest.raises(Unreachable, match="in time"), network_errors(URL):
        raise httpx.ReadTimeout("")
    with pytest.raises(Unreachable, match="RemoteProtocolError"), network_errors(URL):
        raise httpx.RemoteProtocolError("")


def test_a_request_is_cut_off_after_it_has_begun() -> None:
    for kind, expected in ((httpx.ReadError, True), (httpx.ConnectError, False)):
        with pytest.raises(Unreachable) as caught, network_errors(URL):
            raise kind("")
        assert is_cut_off(caught.value) is expected


def test_an_untrusted_server_is_not_asked_again() -> None:
    with pytest.raises(SetupError, match="SSL_CERT_FILE"), network_errors(URL):
        raise httpx.ConnectError("") from untrusted()


def test_unreadable_certificates_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/missing.pem")
    with pytest.raises(SetupError, match=r"missing\.pem"), certificate_errors():
        raise FileNotFoundError
