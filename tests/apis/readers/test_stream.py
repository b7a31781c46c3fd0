"""The streams of readers, over real sockets."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import pytest

from auricle.apis.readers.feed import SessionFeed
from auricle.apis.readers.routes import feeds_of
from auricle.server.net.uvicorn_overrides.http_connection import HttpConnection
from auricle.values.events import Final, Partial
from auricle.values.types import ANONYMOUS
from tests.support.service import Live, live, poll_until

pytestmark = pytest.mark.server

EVENTS = "/v1/sessions/s1/events"


def final(number: int, text: str = "so it is.") -> Final:
    return Final(number, number, text, 0, 16_000, "en", None, 300.0, False)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path / "live", max_readers=4) as started:
        yield started


@pytest.fixture
def feed(running: Live) -> SessionFeed:
    return feeds_of(running.state).open("s1", ANONYMOUS, "native")


def client_of(running: Live) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}")


async def test_events_arrive_as_they_are_published_until_the_end(
    running: Live, feed: SessionFeed
) -> None:
    for number in range(1, 30):
        feed.publish(final(number))
    with anyio.fail_after(60):
        async with client_of(running) as client, client.stream("GET", EVENTS) as answer:
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert answer.headers["x-accel-buffering"] == "no"
            parts, begun = answer.aiter_text(), ""
            while begun.count('"final"') < 20:
                begun += await anext(parts)
            assert '"type":"session"' in begun
            feed.publish(final(30, "so it was."))
            assert "so it was." in await anext(parts)
            feed.end("closed")
            assert '"ended"' in "".join([part async for part in parts])
    assert feeds_of(running.state).readers == 0


async def test_more_readers_than_allowed_get_503(running: Live, feed: SessionFeed) -> None:
    async with client_of(running) as client:
        async with client.stream("GET", EVENTS), client.stream("GET", EVENTS):
            await poll_until(lambda: feed.readers == 2)
            refused = await client.get(EVENTS)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        await poll_until(lambda: feed.readers == 0)
        feed.end("closed")
        assert (await client.get(EVENTS)).status_code == 200


async def test_head_has_no_body(running: Live, feed: SessionFeed) -> None:
    async with client_of(running) as client:
        with anyio.fail_after(60):
            answer = await client.head(EVENTS)
    assert (answer.status_code, answer.content, feed.readers) == (200, b"", 0)


@pytest.mark.wall_clock
async def test_a_reader_that_reads_nothing_is_disconnected_and_delays_nobody(
    running: Live, feed: SessionFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpConnection, "stall_s", 0.2)
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", running.port))
        stalled.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await poll_until(lambda: feed.readers == 1)
        number, text = 0, "x" * 10_000
        async with client_of(running) as client, client.stream("GET", EVENTS) as answer:
            parts = answer.aiter_text()
            with anyio.fail_after(60):
                while feed.readers == 2 or not number:  # its buffers fill, then its time is up
                    number += 1
                    feed.publish(Partial(number, text, f"end {number}", 0, 1))
                    while f"end {number}" not in await anext(parts):
                        pass
                    await anyio.sleep(0.001)
            await poll_until(lambda: feed.readers == 1)
            feed.publish(final(1))
            assert "so it is." in await anext(parts)
