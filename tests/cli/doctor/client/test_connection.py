"""WebSockets and TCP, with real peers."""

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from auricle.cli.doctor.client.connection import TcpConnection, WebSocketConnection

pytestmark = pytest.mark.server


async def test_a_web_socket_carries_messages_and_says_why_it_closed() -> None:
    async def echo(socket: ServerConnection) -> None:
        await socket.send(await socket.recv())
        await socket.close(1008, "no more")

    async with serve(echo, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"ws://127.0.0.1:{port}"
        connection = await WebSocketConnection.open(url, {"Authorization": "Token k"}, ())
        assert connection.headers["upgrade"] == "websocket"
        assert connection.closing_reason == ""
        await connection.send("hello")
        assert await connection.receive() == "hello"
        assert await connection.receive() is None
        assert connection.closing_reason == "no more (1008)"
        with pytest.raises(ConnectionError):
            await connection.send("hello")
        await connection.aclose()


async def test_a_web_socket_offers_its_subprotocols() -> None:
    seen: list[str | None] = []

    async def note(socket: ServerConnection) -> None:
        assert socket.request
        seen.append(socket.request.headers.get("Sec-WebSocket-Protocol"))
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    async with serve(note, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        connection = await WebSocketConnection.open(f"ws://127.0.0.1:{port}", {}, ("a", "b"))
        await connection.aclose()
    assert seen == ["a, b"]


async def test_tcp_carries_bytes_until_the_server_closes() -> None:
    async def echo(stream: SocketStream) -> None:
        async with stream:
            await stream.send(await stream.receive())

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(SocketAttribute.local_port)
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, echo)
            connection = await TcpConnection.open("127.0.0.1", port)
            await connection.send("hello")
            assert await connection.receive() == b"hello"
            assert await connection.receive() is None
            assert (connection.closing_reason, connection.headers) == ("", {})
            await connection.aclose()
            with pytest.raises(ConnectionError):
                await connection.send(b"hello")
            group.cancel_scope.cancel()
