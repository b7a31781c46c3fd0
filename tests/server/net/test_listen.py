"""Listening sockets and the server's URL."""

import contextlib
import socket
from pathlib import Path

import pytest

from auricle.config.sections.server import ServerSettings
from auricle.server.net.listen import base_url, open_sockets
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit


@contextlib.contextmanager
def opened(host: str, port: int = 0):  # type: ignore[no-untyped-def]  # sockets, closed at the end
    sockets = open_sockets(host, port, "AURICLE_PORT")
    with contextlib.ExitStack() as stack:
        for each in sockets:
            stack.enter_context(each)
        yield sockets


def test_a_free_port_accepts_connections() -> None:
    with opened("127.0.0.1") as (listener,):
        address = listener.getsockname()
        assert address[1] > 0
        assert not listener.getblocking()
        with socket.create_connection(address):
            pass


def test_all_addresses_of_a_host_have_the_same_port() -> None:
    with opened("") as sockets:
        assert len({listener.getsockname()[1] for listener in sockets}) == 1


def test_a_used_port_is_an_error_that_names_its_setting() -> None:
    with opened("127.0.0.1") as (listener,):
        port = listener.getsockname()[1]
        with pytest.raises(SetupError, match=rf"Port {port} on 127\.0\.0\.1 .* AURICLE_PORT"):
            open_sockets("127.0.0.1", port, "AURICLE_PORT")


@pytest.mark.parametrize(
    ("host", "start"),
    [
        ("127.0.0.1", "http://127.0.0.1:"),
        ("", "http://127.0.0.1:"),
        ("0.0.0.0", "http://127.0.0.1:"),
        ("::1", "http://[::1]:"),
    ],
)
def test_the_url_is_one_that_this_machine_can_open(host: str, start: str) -> None:
    with opened("127.0.0.1") as sockets:
        port = sockets[0].getsockname()[1]
        assert base_url(ServerSettings(host=host), sockets) == f"{start}{port}"


def test_with_a_certificate_the_url_is_https(tmp_path: Path) -> None:
    (tmp_path / "file.pem").touch()
    settings = ServerSettings(tls_cert=tmp_path / "file.pem", tls_key=tmp_path / "file.pem")
    with opened("127.0.0.1") as sockets:
        assert base_url(settings, sockets).startswith("https://127.0.0.1:")
