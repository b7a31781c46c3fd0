"""Attacks of unauthenticated clients over real sockets, next to a live session.

Each attack continues until the session has its finals; the room that it takes is bounded.
"""

import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from auricle.config.sections.live import LiveSettings
from tests.support.service import Live, head, live, poll_until, read_answer
from tests.support.stream import call

pytestmark = pytest.mark.server

Attack = Callable[[Live], Coroutine[None, None, None]]
STREAM = "/v1/stream?format=pcm16"
UPGRADE = (
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def frame(opcode: int, payload: bytes = b"", *, is_whole: bool = True) -> bytes:
    """Return a masked frame (RFC 6455 §5.2) of at most 125 bytes; the mask is zeros."""
    return bytes([0x80 * is_whole | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


@contextlib.asynccontextmanager
async def connected(service: Live) -> AsyncIterator[SocketStream]:
    """Connect, and leave without a word: what was pushed and not read is gone, too."""
    async with await service.connect() as stream:
        raw = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        yield stream


async def push(stream: SocketStream, flood: bytes) -> None:
    """Send it over and over, and read nothing, until the server has had enough."""
    with contextlib.suppress(anyio.BrokenResourceError):
        while True:
            await stream.send(flood)


def over_http(first: bytes, flood: bytes) -> Attack:
    async def attack(service: Live) -> None:
        async with connected(service) as stream:
            await stream.send(first)
            await push(stream, flood)

    return attack


def over_websocket(flood: bytes, *, first: bytes = b"", reads: bool = False) -> Attack:
    async def attack(service: Live) -> None:
        async with connected(service) as stream, anyio.create_task_group() as group:
            await stream.send(head(STREAM, *UPGRADE, method="GET"))
            await stream.receive()

            async def read() -> None:
                with contextlib.suppress(anyio.BrokenResourceError):
                    async for _ in stream:
                        pass

            if reads:
                group.start_soon(read)
            await stream.send(first)
            await push(stream, flood)
            group.cancel_scope.cancel()

    return attack


async def silence(service: Live) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(100):
            await stack.enter_async_context(connected(service))
        await anyio.sleep_forever()


async def half_heads(service: Live) -> None:
    async with contextlib.AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(connected(service)) for _ in range(100)]
        while True:
            for stream in streams:
                await stream.send(b"x")
            await anyio.sleep(0.01)


async def pages(service: Live) -> None:
    """Ask for everything that needs no key, many at a time, and read no answer."""
    paths = ("/livez", "/readyz", "/health", "/health/history", "/metrics", "/", "/openapi.json")
    asks = b"".join(head(path, method="GET") for path in paths)
    async with contextlib.AsyncExitStack() as stack, anyio.create_task_group() as group:
        for _ in range(3):
            stream = await stack.enter_async_context(connected(service))
            group.start_soon(push, stream, asks * 100)


ATTACKS = {
    "connections that say nothing": silence,
    "heads that never end": half_heads,
    "pages that are not read": pages,
    "a body in chunks of a byte": over_http(
        head("/utterance", "Content-Type: audio/wav", "Transfer-Encoding: chunked"),
        b"1\r\na\r\n" * 10_000,
    ),
    "a head without end": over_http(b"GET / HTTP/1.1\r\n", b"a:\r\n" * 10_000),
    "pings": over_websocket(frame(9) * 10_000, reads=True),
    "pings whose answers are not read": over_websocket(frame(9, bytes(125)) * 1000),
    "pongs": over_websocket(frame(10) * 10_000),
    "a message that never ends": over_websocket(
        frame(0, is_whole=False) * 10_000, first=frame(2, is_whole=False)
    ),
    "empty messages": over_websocket(frame(2) * 10_000),
    "messages of a sample": over_websocket(frame(2, b"ab") * 10_000),
    "commands": over_websocket(frame(1, b'{"type":"finalize"}') * 10_000),
    "wrong commands": over_websocket(frame(1, b'{"type":"hello"}') * 10_000),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_a_live_session_gets_its_finals_during_an_attack(
    attack: Attack, tmp_path: Path
) -> None:
    async with live(tmp_path) as service, call(service.port, format="pcm16") as caller:
        await caller.caption()
        async with anyio.create_task_group() as group:
            group.start_soon(attack, service)
            await caller.caption()
            async with await service.connect() as asking:  # and who is new is answered
                await asking.send(head("/readyz", method="GET"))
                assert (await read_answer(asking))[0] == 200
            await caller.caption()
            group.cancel_scope.cancel()
        await caller.caption()
        await poll_until(lambda: service.state.live.connected == 1 and not service.spooled)


async def test_one_address_cannot_have_all_sessions(tmp_path: Path) -> None:
    """Two behind a proxy, which is loopback here; the one takes all it gets."""
    settings = LiveSettings(max_sessions=3, max_sessions_per_address=2)
    trusted: dict[str, Any] = {"trusted_proxies": "127.0.0.1"}
    greedy, other = ({"x-forwarded-for": f"203.0.113.{number}"} for number in (1, 2))
    async with live(tmp_path, settings, **trusted) as service, contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            caller = await stack.enter_async_context(
                call(service.port, headers=greedy, format="pcm16")
            )
            await caller.until("ready")
        async with await service.connect() as asking:
            lines = [f"{name}: {value}" for name, value in greedy.items()]
            await asking.send(head(STREAM, *UPGRADE, *lines, method="GET"))
            status, headers, body = await read_answer(asking)
            assert (status, headers["retry-after"]) == (429, "10")
            assert b"rate_limited" in body
        caller = await stack.enter_async_context(call(service.port, headers=other, format="pcm16"))
        await caller.caption()
