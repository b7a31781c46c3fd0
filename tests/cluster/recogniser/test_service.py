"""HTTP service of a recogniser: real HTTP, with a scripted backend."""

import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx2 as httpx
import numpy as np
import pytest
import uvicorn
from anyio.abc import SocketStream

from auricle.cluster.recogniser.service import RecogniserService
from auricle.cluster.wire.capacity import Capacity, capacity_of, parse_capacity
from auricle.cluster.wire.failures import parse_error
from auricle.cluster.wire.messages import (
    ANSWER_TYPE,
    JOB_TYPE,
    MAX_JOB_BYTES,
    AnswerFrame,
    AnswerReader,
    Beat,
    ErrorFrame,
    JobHead,
    RemoteError,
    pack_job,
)
from auricle.values.errors import Overloaded
from auricle.values.transcriber import Stats
from auricle.values.types import Job, JobId
from auricle.workers.wire.framing import pack
from tests.support.poll import LIMIT_S, poll_until

pytestmark = pytest.mark.process

BODY = pack_job(Job(JobId("a"), np.ones(1600, np.int16)), max_wait_s=None)


class FakeBackend:
    """Beats once, waits for :attr:`go`, and ends; refuses if it is to."""

    def __init__(self) -> None:
        self.refuse: Exception | None = None
        self.go = anyio.Event()
        self.heads: list[JobHead] = []
        self.closed = 0

    async def answer(self, body: bytes, head: JobHead) -> AsyncGenerator[bytes, None]:
        self.heads.append(head)
        if self.refuse is not None:
            raise self.refuse
        try:
            yield pack(Beat())
            await self.go.wait()
            yield pack(ErrorFrame(RemoteError("bad_audio", "no")))
        finally:
            self.closed += 1

    async def capacity(self) -> Capacity:
        return capacity_of({"a/": Stats(ready=True)}, id="x")


@asynccontextmanager
async def serving(backend: FakeBackend, key: str | None = None) -> AsyncIterator[int]:
    """Serve on a free loopback port, in this event loop."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = RecogniserService(backend, key)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    async with anyio.create_task_group() as group:
        group.start_soon(server._serve, [listener])  # serve() would take over the signals
        await poll_until(lambda: server.started)
        yield listener.getsockname()[1]
        server.should_exit = True


@asynccontextmanager
async def asking(port: int, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(
        base_url=url, headers=headers, trust_env=False, timeout=LIMIT_S
    ) as client:
        yield client


async def test_an_answer_is_streamed_as_it_comes() -> None:
    backend = FakeBackend()
    async with (
        serving(backend) as port,
        asking(port) as client,
        client.stream("POST", "/v1/jobs", content=BODY, headers={"content-type": JOB_TYPE}) as got,
    ):
        assert (got.status_code, got.headers["content-type"]) == (200, ANSWER_TYPE)
        reader, frames = AnswerReader(), list[AnswerFrame]()
        async for chunk in got.aiter_raw():
            reader.receive_data(chunk)
            while not backend.go.is_set() or len(frames) < 2:
                if (frame := reader.next_frame()) is None:
                    break
                frames.append(frame)
            backend.go.set()  # only once the beat has come
        assert frames == [Beat(), ErrorFrame(RemoteError("bad_audio", "no"))]
        assert backend.heads[0].id == "a"
        assert backend.closed == 1


async def test_hanging_up_closes_the_answer() -> None:
    backend = FakeBackend()
    async with serving(backend) as port:
        async with asking(port) as client, client.stream("POST", "/v1/jobs", content=BODY):
            pass
        await poll_until(lambda: backend.closed == 1)


async def test_capacity_is_reported() -> None:
    async with serving(FakeBackend()) as port, asking(port) as client:
        got = await client.get("/v1/capacity")
        capacity = parse_capacity(got.content)
        assert (capacity.id, capacity.ready) == ("x", 1)


@pytest.mark.parametrize("presented", [None, "wrong", "righ", "rightt", "RIGHT"])
async def test_without_the_key_there_is_nothing(presented: str | None) -> None:
    backend = FakeBackend()
    async with serving(backend, "right") as port, asking(port, presented) as client:
        for got in (
            await client.post("/v1/jobs", content=BODY),
            await client.get("/v1/capacity"),
            await client.get("/elsewhere"),
        ):
            assert got.status_code == 401
            assert (error := parse_error(got.content))
            assert error.code == "unauthorized"
        assert not backend.heads


async def test_with_the_key_it_answers() -> None:
    async with serving(FakeBackend(), "right") as port, asking(port, "right") as client:
        assert (await client.get("/v1/capacity")).status_code == 200


async def test_the_key_is_asked_for_before_the_body_comes() -> None:
    async with (
        serving(FakeBackend(), "right") as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        await stream.send(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")
        assert (await stream.receive()).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/jobs", b"", 400, "protocol_error"),
        ("POST", "/v1/jobs", BODY[:-1], 400, "protocol_error"),
        ("POST", "/v1/jobs", bytes(MAX_JOB_BYTES + 1), 413, "too_large"),
        ("GET", "/v1/jobs", b"", 404, "not_found"),
        ("POST", "/v1/capacity", b"", 404, "not_found"),
        ("GET", "/", b"", 404, "not_found"),
    ],
)
async def test_invalid_requests_get_our_messages(
    method: str, path: str, body: bytes, status: int, code: str
) -> None:
    backend = FakeBackend()
    async with serving(backend) as port, asking(port) as client:
        got = await client.request(method, path, content=body)
        assert got.status_code == status
        assert json.loads(got.content)["error"]["code"] == code
        assert not backend.heads


async def test_a_refusal_before_the_answer_has_its_status() -> None:
    backend = FakeBackend()
    backend.refuse = Overloaded("full", 7)
    async with serving(backend) as port, asking(port) as client:
        got = await client.post("/v1/jobs", content=BODY)
        assert (got.status_code, got.headers["retry-after"]) == (503, "7")
        assert parse_error(got.content) == RemoteError("queue_full", "full", 7)


async def test_a_body_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auricle.cluster.recogniser.service.BODY_TIMEOUT_S", 0.1)
    backend = FakeBackend()
    async with serving(backend) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")
        assert (await until_end_of_head(stream)).startswith(b"HTTP/1.1 408 ")
    assert not backend.heads


async def until_end_of_head(stream: SocketStream) -> bytes:
    received = b""
    with anyio.fail_after(60):
        while b"\r\n\r\n" not in received:
            received += await stream.receive()
    return received
