import contextlib
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


LARGE_BYTES = 30_000_000  # more than the system buffers


class Impatient(HttpConnection):
    head_s = 0.05
    stall_s = 0.3


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """Serve an application that sends back what it got, to clients that have little time."""
    app = FastAPI()

    @app.post("/")
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse((await request.body()).decode())

    @app.get("/large")
    async def large() -> PlainTextResponse:
        return PlainTextResponse("x" * LARGE_BYTES)

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


async def rest_of(stream: SocketStream) -> int:
    """Return how many bytes come until the server closes."""
    received = 0
    with anyio.fail_after(30), contextlib.suppress(anyio.BrokenResourceError):
        async for part in stream:
            received += len(part)
    return received


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


async def test_who_reads_nothing_of_an_answer_is_cut_off_and_who_reads_slowly_is_not() -> None:
    async with serving() as port, await connect(port) as idle, await connect(port) as slow:
        for asking in (idle, slow):
            await asking.send(head("/large", "Connection: close", method="GET"))
        received, ends_at = 0, anyio.current_time() + 3 * Impatient.stall_s
        while anyio.current_time() < ends_at:
            received += len(await slow.receive())
            await anyio.sleep(0.005)
        assert received < LARGE_BYTES
        assert received + await rest_of(slow) > LARGE_BYTES  # with its head
        assert await rest_of(idle) < LARGE_BYTES
