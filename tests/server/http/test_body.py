import itertools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TypedDict

import anyio
import pytest
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from auricle.server.http.body import (
    body_chunks,
    check_length,
    content_length,
    read_body,
    read_fields,
    read_json,
)
from auricle.values.errors import BadRequest, TooLarge

pytestmark = pytest.mark.unit


def arriving(*chunks: bytes, ends: bool = True) -> Receive:
    """Return a receive() for these chunks; without an end, it then waits indefinitely."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if ends:
        messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        if not messages:
            await anyio.sleep_forever()
        return messages.pop(0)

    return receive


@pytest.mark.parametrize(
    ("headers", "length"),
    [({}, None), ({"content-length": "0"}, 0), ({"content-length": "12"}, 12)],
)
def test_the_length_is_what_was_declared(headers: dict[str, str], length: int | None) -> None:
    assert content_length(Headers(headers)) == length


@pytest.mark.parametrize(("declared", "is_refused"), [(9, False), (10, False), (11, True)])
def test_a_declared_length_above_the_limit_is_refused(declared: int, is_refused: bool) -> None:
    headers = Headers({"content-length": str(declared)})
    if is_refused:
        with pytest.raises(TooLarge):
            check_length(headers, 10)
    else:
        assert check_length(headers, 10) == declared


@pytest.mark.parametrize("chunks", [[b"abcdefghij"], [b"ab", b"", b"cdefg", b"hij"], []])
async def test_a_body_is_what_came_in_however_it_was_cut(chunks: Sequence[bytes]) -> None:
    assert await read_body(arriving(*chunks), max_bytes=10, pause_s=60) == b"".join(chunks)


async def test_an_empty_json_body_is_an_object_without_fields() -> None:
    assert await read_json(arriving(), max_bytes=10, pause_s=60) == b"{}"
    assert await read_json(arriving(b"[", b"]"), max_bytes=10, pause_s=60) == b"[]"


class Point(TypedDict):
    x: int


@pytest.mark.parametrize(
    ("body", "declared", "error"),
    [(b'{"x": "1"}', 10, BadRequest), (b"", 0, BadRequest), (b'{"x": 1}', 99, TooLarge)],
)
async def test_fields_are_those_of_the_type(
    body: bytes, declared: int, error: type[Exception]
) -> None:
    def request(data: bytes, length: int) -> Request:
        headers = [(b"content-length", b"%d" % length)]
        return Request({"type": "http", "headers": headers}, arriving(data))

    found = await read_fields(request(b'{"x": 1}', 8), Point, max_bytes=20, pause_s=60)
    assert found == {"x": 1}
    with pytest.raises(error):
        await read_fields(request(body, declared), Point, max_bytes=20, pause_s=60)


async def test_a_body_that_declared_nothing_is_cut_off_at_the_limit() -> None:
    chunks = body_chunks(arriving(b"12345", b"67890", b"1"), max_bytes=10, pause_s=60)
    assert [await anext(chunks), await anext(chunks)] == [b"12345", b"67890"]
    with pytest.raises(TooLarge):
        await anext(chunks)


async def test_a_body_that_stops_is_given_up() -> None:
    with pytest.raises(BadRequest, match="No body data"):
        await read_body(arriving(b"12345", ends=False), max_bytes=10, pause_s=0.01)


async def test_a_body_that_comes_in_drops_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def receive() -> Message:
        await anyio.lowlevel.checkpoint()
        return {"type": "http.request", "body": b"1", "more_body": True}

    clock = SimpleNamespace(monotonic=itertools.count().__next__)
    monkeypatch.setattr("auricle.server.http.body.time", clock)
    monkeypatch.setattr("auricle.server.http.body.MIN_BYTES_PER_S", 2)
    with pytest.raises(BadRequest, match="too slow"):
        await read_body(receive, max_bytes=1000, pause_s=60)


async def test_a_client_that_hangs_up_is_distinguished() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        await read_body(receive, max_bytes=10, pause_s=60)
