"""uvicorn's server with two backlogs, and an exit that its owner decides."""

import contextlib
import signal
import socket

import anyio
import pytest
from fastapi import FastAPI

from auricle.server.net.uvicorn_overrides.server import Server, uvicorn_config
from tests.support.poll import poll_until

pytestmark = pytest.mark.server


async def test_signals_are_counted_and_the_owner_decides() -> None:
    asked: list[int] = []

    def may_exit(signals: int) -> bool:
        asked.append(signals)
        return signals > 1

    server = Server(uvicorn_config(FastAPI()), may_exit=may_exit)
    await server.on_tick(0)
    assert asked == []
    server.handle_exit(signal.SIGTERM, None)
    assert not await server.on_tick(1)
    server.handle_exit(signal.SIGTERM, None)
    assert await server.on_tick(2)
    assert asked == [1, 2]


async def test_it_serves_on_the_sockets_that_it_is_given() -> None:
    app = FastAPI()
    app.get("/")(lambda: "hello")
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(uvicorn_config(app))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server._serve, [listener])  # serve() would handle the signals
        await poll_until(lambda: server.started)
        with anyio.fail_after(60):
            async with await anyio.connect_tcp(*listener.getsockname()) as stream:
                await stream.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                received = b""
                with contextlib.suppress(anyio.EndOfStream):
                    while True:
                        received += await stream.receive()
        server.should_exit = True
    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b'"hello"')
