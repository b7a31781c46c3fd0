"""Keys as programs send them, and servers with TLS."""

import socket

import pytest

from auricle.cli.doctor.client.transport import (
    MAX_RETRY_S,
    key_headers,
    retry_after_s,
    shown_url,
    uses_tls,
)
from auricle.protocol.client_profile import KeyScheme

pytestmark = pytest.mark.unit


def test_keys_are_sent_as_the_program_sends_them() -> None:
    assert key_headers(KeyScheme.BEARER, "k") == {"Authorization": "Bearer k"}
    assert key_headers(KeyScheme.TOKEN, "k") == {"Authorization": "Token k"}
    assert key_headers(KeyScheme.SUBPROTOCOL, "k") == key_headers(KeyScheme.NONE, "k") == {}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://:secret@server:6007/v1", "http://:KEY@server:6007/v1"),
        ("http://me:secret@server", "http://me:KEY@server"),
        ("ws://server:6007/v1?a=b", "ws://server:6007/v1?a=b"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_a_server_that_hangs_up_or_is_encrypted_already() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not uses_tls(f"http://127.0.0.1:{port}")
    assert not uses_tls("https://127.0.0.1:1")


@pytest.mark.parametrize(
    ("status", "headers", "delay_s"),
    [
        (503, {"Retry-After": "2"}, 2.0),
        (429, {"Retry-After": "3600"}, MAX_RETRY_S),
        (503, {}, None),
        (503, {"Retry-After": "Fri, 27 Nov 2026 08:00:00 GMT"}, None),
        (200, {"Retry-After": "2"}, None),
    ],
)
def test_a_busy_server_is_tried_again(
    status: int, headers: dict[str, str], delay_s: float | None
) -> None:
    assert retry_after_s(status, headers) == delay_s
