"""The connection itself, under applications of a few lines."""

import contextlib
import json
import logging
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup
from fastapi import FastAPI
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from auricle.server.net.peer import Peer, peer_of
from auricle.server.net.uvicorn_overrides import websocket as server_websocket
from auricle.server.net.uvicorn_overrides.websocket import (
    MAX_MESSAGE_BYTES,
    MAX_UNREAD_BYTES,
    READ_BYTES,
    AppConfig,
    WebSocketConnection,
)
from tests.support.service import listening, poll_until, read_answer

pytestmark = pytest.mark.server

Route = Callable[[WebSocket, Peer], Awaitable[None]]


@asynccontextmanager
async def serving(route: Route) -> AsyncIterator[int]:
    """Serve one route under a connection of ours; what it raises fails the test."""
    app, errors = FastAPI(), []

    @app.websocket("/")
    async def serve(websocket: WebSocket) -> None:
        peer = peer_of(websocket.scope)
        assert isinstance(peer, WebSocketConnection)
        await websocket.accept()
        try:
            await route(websocket, peer)
        except Exception as error:
            errors.append(error)

    async with listening(app) as port:
        yield port
    assert errors == []


@asynccontextmanager
async def dialled(port: int, **how: Any) -> AsyncIterator[ClientConnection]:
    how = {"compression": None, "ping_interval": None, "proxy": None, "close_timeout": 5} | how
    async with connect(f"ws://127.0.0.1:{port}/", **how) as connection:
        yield connection


async def close_code(connection: ClientConnection) -> int:
    with anyio.fail_after(60):
        try:
            while True:
                await connection.recv()
        except ConnectionClosed as closed:
            return 1006 if closed.rcvd is None else closed.rcvd.code


async def until_told(websocket: WebSocket) -> None:
    """Read until the client is gone."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def test_compression_is_not_agreed_to() -> None:
    async def route(websocket: WebSocket, peer: Peer) -> None:
        await until_told(websocket)

    extensions = [ClientPerMessageDeflateFactory()]
    async with serving(route) as port, dialled(port, extensions=extensions) as connection:
        assert connection.response is not None
        assert "Sec-WebSocket-Extensions" not in connection.response.headers


async def test_a_ping_is_answered_and_is_a_sign_of_life() -> None:
    came: list[float] = []

    async def route(websocket: WebSocket, peer: Peer) -> None:
        came.append(peer.received_at)
        await websocket.receive()
        came.append(peer.received_at)
        await until_told(websocket)

    async with serving(route) as port, dialled(port) as connection:
        await poll_until(lambda: came)
        with anyio.fail_after(60):
            await (await connection.ping(b"there?"))
            await connection.send(b"yes")
        await poll_until(lambda: len(came) == 2)
    assert came[1] > came[0]


async def test_part_of_a_message_is_a_sign_of_life() -> None:
    peers: list[Peer] = []

    async def route(websocket: WebSocket, peer: Peer) -> None:
        peers.append(peer)
        await until_told(websocket)

    async with serving(route) as port, dialled(port) as connection:
        await poll_until(lambda: peers)
        before = peers[0].received_at
        connection.transport.write(b"\x82")  # half of a frame's head
        await poll_until(lambda: peers[0].received_at > before)
        connection.transport.abort()


async def test_a_client_that_pings_and_reads_nothing_is_cut_off() -> None:
    peers: list[Peer] = []

    async def route(websocket: WebSocket, peer: Peer) -> None:
        peers.append(peer)
        await until_told(websocket)

    async with serving(route) as port, dialled(port) as connection:
        await poll_until(lambda: peers)
        connection.transport.pause_reading()
        ping = b"\x89\xfd" + bytes(4) + bytes(125)
        sent_bytes = 0
        with anyio.fail_after(60):
            while not connection.transport.is_closing():
                connection.transport.write(100 * ping)
                sent_bytes += 100 * len(ping)
                await anyio.lowlevel.checkpoint()
        assert sent_bytes > MAX_UNREAD_BYTES


async def test_the_largest_message_comes_through_and_a_larger_one_is_refused() -> None:
    sizes: list[int] = []

    async def route(websocket: WebSocket, peer: Peer) -> None:
        while (message := await websocket.receive())["type"] == "websocket.receive":
            sizes.append(len(message["bytes"]))
        assert peer.violation_code == message["code"] == 1009

    async with serving(route) as port:
        async with dialled(port) as connection:
            await connection.send(bytes(MAX_MESSAGE_BYTES))
            await connection.send(bytes(MAX_MESSAGE_BYTES + 1))
            assert await close_code(connection) == 1009
        async with dialled(port) as connection:  # the same in pieces
            await connection.send(bytes(MAX_MESSAGE_BYTES // 8) for _ in range(9))
            assert await close_code(connection) == 1009
    assert sizes == [MAX_MESSAGE_BYTES]


@pytest.fixture
def large_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow large messages, two at a time, for half a second each."""
    limits = {"/": 4 * MAX_MESSAGE_BYTES}
    monkeypatch.setattr(AppConfig, "max_message_bytes", limits)
    monkeypatch.setattr(server_websocket, "MAX_LARGE_MESSAGES", 2)
    monkeypatch.setattr(server_websocket, "LARGE_MESSAGE_S", 0.5)


async def until_left(websocket: WebSocket, peer: Peer) -> None:
    await until_told(websocket)


@pytest.mark.parametrize("is_one_frame", [True, False], ids=["one frame", "fragments"])
@pytest.mark.usefixtures("large_messages")
async def test_an_unfinished_large_message_is_closed_after_a_time(*, is_one_frame: bool) -> None:
    """Hundreds of them would hold gigabytes for hours."""
    size = MAX_MESSAGE_BYTES + READ_BYTES
    async with serving(until_left) as port, dialled(port) as connection:
        if is_one_frame:
            head = struct.pack("!BBQ4x", 0x82, 0xFF, 2 * MAX_MESSAGE_BYTES)
            connection.transport.write(head + bytes(size))
        else:
            await send_unfinished(connection, size)
        assert await close_code(connection) == 1008
    assert not server_websocket._large_arriving


@pytest.mark.usefixtures("large_messages")
async def test_few_large_messages_arrive_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_websocket, "LARGE_MESSAGE_S", 60.0)
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(until_left))
        first, second, third, small = [
            await stack.enter_async_context(dialled(port)) for _ in range(4)
        ]
        for connection in (first, second):
            await send_unfinished(connection, 2 * MAX_MESSAGE_BYTES)
        await poll_until(lambda: len(server_websocket._large_arriving) == 2)
        await send_unfinished(third, 2 * MAX_MESSAGE_BYTES)
        assert await close_code(third) == 1013
        assert len(server_websocket._large_arriving) == 2
        await first.close()
        await poll_until(lambda: len(server_websocket._large_arriving) == 1)
        await small.send(bytes(2 * MAX_MESSAGE_BYTES))
        await small.close()
        assert small.close_code == 1000


async def send_unfinished(connection: ClientConnection, size: int) -> None:
    """Send a message in fragments, but not its last one."""
    piece = bytes(size // 4)
    connection.protocol.send_binary(piece, fin=False)
    for _ in range(3):
        connection.protocol.send_continuation(piece, fin=False)
    for data in connection.protocol.data_to_send():
        connection.transport.write(data)


async def test_a_client_that_keeps_sending_reads_why_it_was_closed() -> None:
    async def route(websocket: WebSocket, peer: Peer) -> None:
        await until_told(websocket)

    async with serving(route) as port, dialled(port) as connection:
        with contextlib.suppress(ConnectionClosed):
            await connection.send(bytes(16 * 2**20))
        assert await close_code(connection) == 1009


async def test_one_that_breaks_the_protocol_gets_the_last_messages_of_its_route() -> None:
    async def route(websocket: WebSocket, peer: Peer) -> None:
        await until_told(websocket)
        await websocket.send_text("last")
        await websocket.close(1000)
        with pytest.raises(WebSocketDisconnected):
            await websocket.send_text("too late")

    async with serving(route) as port, dialled(port) as connection:
        await connection.send(bytes(MAX_MESSAGE_BYTES + 1))
        with anyio.fail_after(60):
            assert await connection.recv() == "last"
        assert await close_code(connection) == 1009


async def test_a_route_that_never_ends_does_not_keep_such_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = anyio.Event()

    async def route(websocket: WebSocket, peer: Peer) -> None:
        await ended.wait()
        with pytest.raises(WebSocketDisconnect):
            await websocket.send_text("too late")

    monkeypatch.setattr(server_websocket, "VIOLATION_S", 0.1)
    async with serving(route) as port, dialled(port) as connection:
        await connection.send(bytes(MAX_MESSAGE_BYTES + 1))
        assert await close_code(connection) == 1009
        ended.set()


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"\x83\x80\0\0\0\0", 1002),  # an opcode that there isn't
        (b"\x82\x01x", 1002),  # not masked
        (b"\xc2\x80\0\0\0\0", 1002),  # compressed, which was not agreed to
        (b"\x81\x81\0\0\0\0\xff", 1007),  # not UTF-8
        (2 * b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x01\x81\0\0\0\0\xe2\x80\x81\0\0\0\0\x82", 1007),  # cut within a character
    ],
)
async def test_a_violation_of_websocket_is_named_in_the_close_reason(
    caplog: pytest.LogCaptureFixture, wire: bytes, code: int
) -> None:
    async def route(websocket: WebSocket, peer: Peer) -> None:
        await until_told(websocket)
        assert peer.violation_code == code

    async with serving(route) as port, dialled(port) as connection:
        connection.transport.write(wire)
        assert await close_code(connection) == code
    assert all(line.levelno < logging.WARNING for line in caplog.records)


async def test_a_client_that_does_not_read_can_be_given_up() -> None:
    peers: list[Peer] = []

    async def route(websocket: WebSocket, peer: Peer) -> None:
        peers.append(peer)
        with anyio.move_on_after(0.2) as patience:
            while True:
                await websocket.send_text("x" * 1000)
        assert patience.cancelled_caught
        peer.give_up(1013, "slow")
        peer.give_up(1013, "again does nothing")

    async with serving(route) as port, dialled(port, max_queue=1) as connection:
        await poll_until(lambda: peers)
        assert await close_code(connection) == 1013
        assert connection.close_reason == "slow"


async def test_a_route_that_waits_for_room_to_write_learns_that_the_client_has_left() -> None:
    done: list[bool] = []

    async def route(websocket: WebSocket, peer: Peer) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await websocket.send_text("x" * 1000)
        done.append(True)

    async with serving(route) as port:
        async with dialled(port, max_queue=1) as connection:
            connection.transport.pause_reading()
            await connection.send(b"there")
            connection.transport.abort()
        await poll_until(lambda: done)


async def test_little_is_read_at_once_however_much_is_there() -> None:
    counted: list[int] = []
    frame = b"\x82\x81\0\0\0\0x"

    async def route(websocket: WebSocket, peer: Peer) -> None:
        at_once, total = 1, 0
        while total < 10_000:
            await websocket.receive()
            total += 1
            if peer.has_more:
                at_once += 1
            else:
                counted.append(at_once)
                at_once = 1
        await until_told(websocket)

    async with serving(route) as port, dialled(port) as connection:
        connection.transport.write(frame * 10_000)
        await poll_until(lambda: sum(counted) >= 10_000)
    assert max(counted) <= READ_BYTES // len(frame) + 1


async def test_a_message_in_a_great_many_pieces_arrives_and_takes_no_more_than_its_bytes() -> None:
    received: list[Any] = []
    pieces: list[int] = []

    async def route(websocket: WebSocket, peer: Peer) -> None:
        assert isinstance(peer, WebSocketConnection)
        for _ in range(2):
            async with anyio.create_task_group() as group:

                async def look(group: TaskGroup = group) -> None:
                    while True:
                        pieces.append(len(peer.frames))
                        await anyio.lowlevel.checkpoint()

                group.start_soon(look)
                received.append(await websocket.receive())
                group.cancel_scope.cancel()
        await until_told(websocket)

    async with serving(route) as port, dialled(port) as connection:
        for number, kind in enumerate((b"\x02", b"\x01"), 1):
            connection.transport.write(kind + b"\x81\0\0\0\0x")
            connection.transport.write(b"\x00\x80\0\0\0\0" * 2_000)  # empty ones
            connection.transport.write(b"\x00\x81\0\0\0\0x" * 2_000)
            connection.transport.write(b"\x80\x81\0\0\0\0x")
            await poll_until(lambda number=number: len(received) == number)
    assert received[0]["bytes"] == b"x" * 2_002
    assert received[1]["text"] == "x" * 2_002
    assert max(pieces) == 1


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1\r\nx: " + b"x" * 9000,
        b"GET /?" + b"x" * 9000 + b" HTTP/1.1",
        b"GET / HTTP/1.1" + b"\r\nx: x" * 200,
    ],
    ids=["header", "target", "headers"],
)
async def test_a_handshake_with_too_long_a_head_is_refused_and_not_waited_for(line: bytes) -> None:
    async def route(websocket: WebSocket, peer: Peer) -> None:
        raise AssertionError

    async with serving(route) as port, await anyio.connect_tcp("127.0.0.1", port) as asking:
        await asking.send(
            line + b"\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        status, _, body = await read_answer(asking)
        assert (status, json.loads(body)["error"]["code"]) == (431, "head_too_large")
        with anyio.fail_after(60), pytest.raises(anyio.EndOfStream):
            await asking.receive()
