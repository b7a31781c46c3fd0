"""The limit of a request's head, and ambiguous body lengths."""

import h11
import pytest

from auricle.server.net.http_framing import BadFraming, ServerConnection

pytestmark = pytest.mark.unit

MAX_HEAD_BYTES = 200


def first_event(*lines: str, version: str = "1.1") -> object:
    connection = ServerConnection(MAX_HEAD_BYTES)
    head = "\r\n".join((f"POST / HTTP/{version}", "Host: localhost", *lines, "", ""))
    connection.receive_data(head.encode())
    return connection.next_event()


def test_a_valid_request_is_returned() -> None:
    assert isinstance(first_event("Content-Length: 5"), h11.Request)
    assert isinstance(first_event("Transfer-Encoding: chunked"), h11.Request)


@pytest.mark.parametrize("over", [-1, 0, 1, 2])
def test_a_head_may_have_its_limit_and_no_byte_more(over: int) -> None:
    bare = len("POST / HTTP/1.1\r\nHost: localhost\r\nX: \r\n\r\n")
    line = "X: " + "a" * (MAX_HEAD_BYTES - bare + over)
    if over <= 0:
        assert isinstance(first_event(line), h11.Request)
        return
    with pytest.raises(h11.RemoteProtocolError) as error:
        first_event(line)
    assert error.value.error_status_hint == 431


def test_a_body_behind_a_short_head_is_not_counted() -> None:
    connection = ServerConnection(MAX_HEAD_BYTES)
    body = b"a" * 1000
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + body)
    assert isinstance(connection.next_event(), h11.Request)
    assert connection.next_event().data == body  # type: ignore[union-attr]  # it is Data


@pytest.mark.parametrize(
    ("lines", "version"),
    [
        (("Transfer-Encoding: chunked", "Content-Length: 5"), "1.1"),
        (("Content-Length: 5", "Transfer-Encoding: chunked"), "1.1"),
        (("Transfer-Encoding: chunked",), "1.0"),
    ],
)
def test_an_ambiguous_body_length_is_rejected(lines: tuple[str, ...], version: str) -> None:
    with pytest.raises(BadFraming):
        first_event(*lines, version=version)
