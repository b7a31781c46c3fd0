"""Keys as programs send them, and servers with TLS."""

import socket

import pytest

from auricle.cli.doctor.client.profile import KeyStyle
from auricle.cli.doctor.client.transport import key_headers, uses_tls

pytestmark = pytest.mark.unit


def test_keys_are_sent_as_the_program_sends_them() -> None:
    assert key_headers(KeyStyle.BEARER, "k") == {"Authorization": "Bearer k"}
    assert key_headers(KeyStyle.TOKEN, "k") == {"Authorization": "Token k"}
    assert key_headers(KeyStyle.SUBPROTOCOL, "k") == key_headers(KeyStyle.NONE, "k") == {}


def test_a_server_that_hangs_up_or_is_encrypted_already() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not uses_tls(f"http://127.0.0.1:{port}")
    assert not uses_tls("https://127.0.0.1:1")
