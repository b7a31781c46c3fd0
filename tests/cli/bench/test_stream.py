"""The load generator, with a WebSocket server that echoes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection, serve

from auricle.cli.bench.stream import Played, StreamPlayer, frame_of, framed, play_stream
from auricle.client.connection import open_websocket

pytestmark = [pytest.mark.process, pytest.mark.anyio]

STEP_SAMPLES = 320
STEP_S = 0.02
LIMIT_S = 120.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def connected(close_after: int = 0) -> AsyncIterator[ClientConnection]:
    """Connect to a server that repeats messages, and closes the connection after some of them."""

    async def echo(socket: ServerConnection) -> None:
        number = 0
        async for message in socket:
            await socket.send(message)
            number += 1
            if number == close_after:
                return

    async with serve(echo, "127.0.0.1", 0) as server:
        [listener] = server.sockets
        connection = await open_websocket(f"ws://127.0.0.1:{listener.getsockname()[1]}", LIMIT_S)
        try:
            yield connection
        finally:
            connection.transport.abort()


def player(connection: ClientConnection, frames: list[bytes], ending: str = "") -> StreamPlayer:
    return StreamPlayer(
        connection.transport,
        connection,
        frames,
        Played(STEP_SAMPLES),
        ending=frame_of(ending) if ending else b"",
        is_last=lambda message: message == "end",
    )


async def test_a_frame_is_sent_when_its_last_sample_has_been_spoken() -> None:
    async with connected() as connection:
        stream = player(connection, framed(["one", b"two", "three"]), "end")
        began_at = asyncio.get_running_loop().time() + 0.05
        await stream.play(began_at, LIMIT_S)
        played = stream.played
        assert [text for _, text in played.received] == ["one", "two", "three", "end"]
        assert len(played.sent_at_s) == len(played.late_s) == 3
        for number, (sent_at, late_s) in enumerate(
            zip(played.sent_at_s, played.late_s, strict=True), 1
        ):
            assert sent_at - late_s == pytest.approx(began_at + number * STEP_S)
            assert late_s >= 0
        assert played.received[0][0] >= played.sent_at_s[0]
        assert played.sent(0.03) == played.sent_at_s[1]
        assert played.sent(99) == played.sent_at_s[2]


async def test_a_late_generator_catches_up() -> None:
    async with connected() as connection:
        stream = player(connection, framed(["one", "two", "three"]), "end")
        await stream.play(asyncio.get_running_loop().time() - 1, LIMIT_S)
        assert len(stream.played.received) == 4
        assert min(stream.played.late_s) > 0.9


async def test_a_closed_connection_ends_a_stream() -> None:
    async with connected(close_after=1) as connection:
        stream = player(connection, framed(["one"] * 1000))
        await stream.play(asyncio.get_running_loop().time(), LIMIT_S)
        assert len(stream.played.sent_at_s) < 1000


async def test_messages_after_the_patience_are_not_kept() -> None:
    async with connected() as connection:
        stream = player(connection, framed(["one"]))
        await stream.play(asyncio.get_running_loop().time() - 1, 0.0)
        assert not stream.played.received
        stream.close()
        assert connection.transport.is_closing()


async def test_a_stream_is_played_at_once_and_its_connection_closed() -> None:
    last = '{"type":"closed"}'
    async with connected() as connection:
        played = await play_stream(
            connection, framed(["one"]), STEP_SAMPLES, LIMIT_S, ending=frame_of(last)
        )
        assert [text for _, text in played.received] == ["one", last]
        assert played.sent_at_s[0] - played.began_at >= STEP_S
        assert connection.transport.is_closing()
