import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import h11
import pytest
import uvicorn
from anyio.abc import SocketStream
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from auricle.server.net.peer import body_writer_of
from auricle.server.net.uvicorn_overrides.http_connection import (
    MAX_HEAD_BYTES,
    READ_BYTES,
    HttpConnection,
)
from auricle.server.net.uvicorn_overrides.server import uvicorn_config
from tests.support.service import head, poll_until, read_answer

pytestmark = pytest.mark.server


LARGE_BYTES = 30_000_000  # more than the system buffers


class Impatient(HttpConnection):
    head_s = 0.05


class Hurried(HttpConnection):
    """Leaves a busy machine the time to send the beginning of a head, and to read."""

    head_s = 0.5
    stall_s = 0.6


class DirectResponse(Response):
    """Writes some of its body directly, and then until its client does not read."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        writer, writable = body_writer_of(scope), anyio.Event()
        writer.write_body(b"first,")
        writer.write_body(b"")
        await send({"type": "http.response.body", "body": b"second,", "more_body": True})
        writer.on_writable = writable.set
        while not writer.is_full:
            writer.write_body(b"x" * 100_000)
        await writable.wait()
        writer.on_writable = None
        writer.write_body(b"last")
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        writer.write_body(b"after the end")


@asynccontextmanager
async def serving(connection: type[HttpConnection] = HttpConnection) -> AsyncIterator[int]:
    """Serve an application that sends back what it got."""
    app = FastAPI()

    @app.post("/")
    async def answer(request: Request) -> PlainTextResponse:
        return PlainTextResponse((await request.body()).decode())

    @app.get("/large")
    async def large() -> PlainTextResponse:
        return PlainTextResponse("x" * LARGE_BYTES)

    @app.get("/direct")
    async def direct() -> DirectResponse:
        return DirectResponse()

    config = uvicorn_config(app)
    assert config.http is HttpConnection
    config.http = connection
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
    with anyio.fail_after(60), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
        await stream.receive()


async def rest_of(stream: SocketStream) -> int:
    """Return how many bytes come until the server closes."""
    received = 0
    with anyio.fail_after(60), contextlib.suppress(anyio.BrokenResourceError):
        async for part in stream:
            received += len(part)
    return received


async def test_a_client_that_never_asks_is_cut_off() -> None:
    async with serving(Impatient) as port, await connect(port) as silent:
        await assert_is_cut(silent)


async def assert_is_told(stream: SocketStream, status: int, code: str) -> None:
    """Check that an error comes, and then the end."""
    found, headers, body = await read_answer(stream)
    assert (found, headers["connection"]) == (status, "close")
    assert json.loads(body)["error"]["code"] == code
    await assert_is_cut(stream)


@pytest.mark.wall_clock
async def test_one_that_stops_in_the_middle_of_a_head_gets_an_error() -> None:
    async with serving(Hurried) as port, await connect(port) as slow:
        await slow.send(head("/", "Content-Length: 2")[:-4])
        await assert_is_told(slow, 408, "idle_timeout")


async def test_and_one_that_does_so_after_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as port, await connect(port) as slow:
        await slow.send(head("/", "Content-Length: 2") + b"hi")
        assert (await read_answer(slow))[2] == b"hi"
        monkeypatch.setattr(HttpConnection, "head_s", Impatient.head_s)
        await slow.send(b"POST / HT")
        await assert_is_told(slow, 408, "idle_timeout")


@pytest.mark.wall_clock
async def test_a_byte_now_and_then_gains_no_time() -> None:
    async with (
        serving(Hurried) as port,
        await connect(port) as slow,
        anyio.create_task_group() as group,
    ):

        async def drip() -> None:
            await slow.send(b"GET / HTTP/1.1\r\n")
            while True:
                with contextlib.suppress(anyio.BrokenResourceError):
                    await slow.send(b"a:\r\n")
                await anyio.sleep(Hurried.head_s / 10)

        group.start_soon(drip)
        await assert_is_told(slow, 408, "idle_timeout")
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    "long",
    [
        b"GET /" + b"a" * 2 * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\ncookie: " + b"a" * 2 * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\n" + b"a:\r\n" * (MAX_HEAD_BYTES // 2),
        b"GET / HTTP/1.1\r\ncookie: " + b"a" * 3_000_000,  # more than the system takes in
    ],
    ids=["line", "header", "headers", "flood"],
)
async def test_a_head_that_is_too_long_is_refused_with_431(long: bytes) -> None:
    async with (
        serving() as port,
        await connect(port) as asking,
        anyio.create_task_group() as group,
    ):

        async def send() -> None:
            with contextlib.suppress(anyio.BrokenResourceError):
                await asking.send(long)

        group.start_soon(send)
        await assert_is_told(asking, 431, "head_too_large")


async def test_a_head_of_the_usual_size_is_not() -> None:
    async with serving() as port, await connect(port) as asking:
        cookie = "cookie: " + "a" * (MAX_HEAD_BYTES - 200)
        await asking.send(head("/", "Content-Length: 2", cookie) + b"hi")
        assert (await read_answer(asking))[2] == b"hi"


def head_of(length: int, newline: str = "\r\n") -> bytes:
    """Return a head of a POST with exactly this many bytes."""
    made = head("/", "Content-Length: 2", "cookie: ").decode().replace("\r\n", newline)
    made = made.replace("cookie: ", "cookie: " + "a" * (length - len(made)))
    assert len(made) == length
    return made.encode()


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("pieces", [1, 2, 7])
@pytest.mark.parametrize("excess", [0, 1])
async def test_a_head_has_the_documented_length_and_not_a_byte_more(
    excess: int, pieces: int, newline: str
) -> None:
    sent = head_of(MAX_HEAD_BYTES + excess, newline) + b"hi"
    async with serving() as port, await connect(port) as asking:
        step = -(-len(sent) // pieces)
        for start in range(0, len(sent), step):
            await asking.send(sent[start : start + step])
            for _ in range(5):  # so that it arrives apart from the next one
                await anyio.lowlevel.checkpoint()
        if excess:
            await assert_is_told(asking, 431, "head_too_large")
        else:
            assert (await read_answer(asking))[2] == b"hi"


async def test_so_has_the_head_of_a_request_that_comes_before_the_last_answer() -> None:
    async with serving() as port, await connect(port) as asking:
        await asking.send((head_of(200) + b"hi") * 2 + head_of(MAX_HEAD_BYTES + 1) + b"hi")
        received = b""
        with anyio.fail_after(60):
            async for part in asking:
                received += part
        assert received.count(b"HTTP/1.1 200 ") == 2
        assert b"head_too_large" in received.rpartition(b"HTTP/1.1 431 ")[2]


@pytest.mark.parametrize(
    "request_head",
    [
        head("/", "Content-Length: 2", "Transfer-Encoding: chunked"),
        head("/", "transfer-encoding: chunked", "content-length: 7"),
        head("/", "Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["length first", "encoding first", "1.0"],
)
async def test_a_body_with_two_lengths_is_refused_and_nothing_behind_it_is_read(
    request_head: bytes,
) -> None:
    smuggled = head("/", "Content-Length: 2") + b"no"
    async with serving() as port, await connect(port) as asking:
        await asking.send(head("/", "Content-Length: 2") + b"hi")
        assert (await read_answer(asking))[2] == b"hi"
        await asking.send(request_head + b"2\r\nhi\r\n0\r\n\r\n" + smuggled)
        await assert_is_told(asking, 400, "protocol_error")


async def test_malformed_http_gets_an_error() -> None:
    async with serving() as port, await connect(port) as lost:
        await lost.send(b"\x16\x03\x01\x02\x00 hello\r\n\r\n")
        await assert_is_told(lost, 400, "protocol_error")


async def test_a_body_that_breaks_is_logged_and_not_an_internal_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as port, await connect(port) as broken:
        await broken.send(head("/", "Transfer-Encoding: chunked") + b"2\r\nhi\r\nnonsense\r\n")
        await assert_is_told(broken, 400, "protocol_error")
    assert "LocalProtocolError" not in caplog.text  # uvicorn would answer twice


async def test_little_is_read_at_once_so_that_a_flood_of_chunks_lets_others_in() -> None:
    reads: list[int] = []

    class Counting(HttpConnection):
        def data_received(self, data: bytes) -> None:
            reads.append(len(data))
            super().data_received(data)

    async with serving(Counting) as port, await connect(port) as flood:
        await flood.send(head("/", "Transfer-Encoding: chunked"))
        async with anyio.create_task_group() as group:

            async def send() -> None:
                while True:
                    await flood.send(b"1\r\na\r\n" * 100_000)

            group.start_soon(send)
            await poll_until(lambda: sum(reads) > 3 * READ_BYTES)
            async with await connect(port) as asking:
                await asking.send(head("/", "Content-Length: 2") + b"hi")
                assert (await read_answer(asking))[2] == b"hi"
            group.cancel_scope.cancel()
    assert max(reads) <= READ_BYTES


@pytest.mark.wall_clock
async def test_a_body_may_take_longer() -> None:
    async with serving(Hurried) as port, await connect(port) as asking:
        await asking.send(head("/", "Content-Length: 2") + b"h")
        async with await connect(port) as silent:  # came later, and its time is over
            await assert_is_cut(silent)
        await asking.send(b"i")
        assert (await read_answer(asking))[2] == b"hi"


@pytest.mark.wall_clock
async def test_a_client_that_stops_reading_is_cut_off_and_a_slow_one_is_not() -> None:
    async with (
        serving(Hurried) as port,
        await connect(port) as idle,
        await connect(port) as slow,
    ):
        for asking in (idle, slow):
            await asking.send(head("/large", "Connection: close", method="GET"))
        received, ends_at = 0, anyio.current_time() + 1.5 * Hurried.stall_s
        while anyio.current_time() < ends_at:
            received += len(await slow.receive())
            await anyio.sleep(0.005)
        assert received < LARGE_BYTES
        assert received + await rest_of(slow) > LARGE_BYTES  # with its head
        assert await rest_of(idle) < LARGE_BYTES


@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_a_body_that_is_written_directly_arrives_as_any_other(version: str) -> None:
    async with serving() as port, await connect(port) as stream:
        await stream.send(
            f"GET /direct HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
        )
        received = b""
        with anyio.fail_after(60), contextlib.suppress(anyio.EndOfStream):
            while True:
                received += await stream.receive()
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="GET", target="/direct", headers=[("host", "a")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(received)
    parser.receive_data(b"")
    body = b""
    while not isinstance(event := parser.next_event(), h11.EndOfMessage):
        body += bytes(event.data) if isinstance(event, h11.Data) else b""
    assert (b"chunked" in received[:500].lower()) is (version == "1.1")
    assert body.startswith(b"first,second,xxx")
    assert body.endswith(b"xxxlast")
