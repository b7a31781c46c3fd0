import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
import uvicorn
from anyio.abc import SocketStream
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from auricle.server.http_connection import HttpConnection
from auricle.server.run import uvicorn_config
from tests.fakes.service import head, poll_until, read_answer

pytestmark = pytest.mark.unit


class Impatient(HttpConnection):
    head_s = 0.05


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """Serve an application that sends back what it got, to clients that have little time."""
    app = FastAPI()

    @app.post("/")
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse((await request.body()).decode())

    config = uvicorn_config(app)
    assert config.http is HttpConnection
    config.http = Impatient
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    async with anyio.create_task_group() as group:
        group.start_soon(server._serve, [listener])
        await poll_until(lambda: server.started)
        yield listener.getsockname()[1]
        server.should_exit = True


async def connect(port: int) -> SocketStream:
    return await anyio.connect_tcp("127.0.0.1", port)


async def assert_is_cut(stream: SocketStream) -> None:
    with anyio.fail_after(30), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
        await stream.receive()


async def test_a_client_that_never_asks_is_cut_off() -> None:
    async with serving() as port, await connect(port) as silent:
        await assert_is_cut(silent)


async def test_so_is_one_that_stops_in_the_middle_of_a_head() -> None:
    async with serving() as port, await connect(port) as slow:
        await slow.send(head("/", "Content-Length: 2")[:-4])
        await assert_is_cut(slow)


async def test_and_one_that_does_so_after_an_answer() -> None:
    async with serving() as port, await connect(port) as slow:
        await slow.send(head("/", "Content-Length: 2") + b"hi")
        assert (await read_answer(slow))[2] == b"hi"
        await slow.send(b"POST / HT")
        await assert_is_cut(slow)


async def test_a_body_may_take_longer() -> None:
    async with serving() as port, await connect(port) as asking:
        await asking.send(head("/", "Content-Length: 2") + b"h")
        async with await connect(port) as silent:  # came later, and its time is over
            await assert_is_cut(silent)
        await asking.send(b"i")
        assert (await read_answer(asking))[2] == b"hi"
