"""Requests that are repeated, with a scripted server: on an event loop, and blocking the thread."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import pytest

from auricle.client.api.audio import open_audio
from auricle.client.api.calls import create_job, delete_job, get_job
from auricle.client.api.connection import Connection
from auricle.client.api.http import AsyncTransport, BlockingTransport, Transport
from auricle.values.errors import BadRequest, NotFound, Overloaded, Unreachable
from tests.support.job_server import ACCEPTED, DONE, FORGOTTEN, FULL, LOST, RUNNING, ScriptedServer

pytestmark = [pytest.mark.process, pytest.mark.anyio]


class Connect(Protocol):
    def __call__(
        self, url: str, patience_s: float = 60
    ) -> AbstractAsyncContextManager[Connection]: ...


@pytest.fixture(params=[AsyncTransport, BlockingTransport])
def connected(request: pytest.FixtureRequest) -> Connect:
    transport: type[Transport] = request.param

    @asynccontextmanager
    async def connected(url: str, patience_s: float = 60) -> AsyncIterator[Connection]:
        connection = Connection(
            url, "secret", timeout_s=60, patience_s=patience_s, transport=transport
        )
        yield connection
        await connection.aclose()

    return connected


async def test_a_busy_server_is_asked_again(server: ScriptedServer, connected: Connect) -> None:
    server.jobs = [FULL, FULL, DONE]
    async with connected(server.url) as connection:
        assert (await connection.send(get_job("a"))).state == "done"
    assert server.requests == ["GET /jobs/a"] * 3


async def test_the_patience_has_an_end(server: ScriptedServer, connected: Connect) -> None:
    server.jobs = [FULL]
    async with connected(server.url, patience_s=0) as connection:
        with pytest.raises(Overloaded):
            await connection.send(get_job("a"))
    async with connected("http://127.0.0.1:1") as connection:  # the port belongs to no server
        with pytest.raises(Unreachable):
            await connection.send(get_job("a"))


async def test_a_lost_response_is_requested_again_where_that_is_safe(
    server: ScriptedServer, connected: Connect
) -> None:
    async with connected(server.url) as connection:
        await connection.send(get_job("a"))
        server.jobs, server.deletions = [LOST, RUNNING], [LOST]
        assert (await connection.send(get_job("a"))).state == "running"
        with pytest.raises(Unreachable):
            await connection.send(delete_job("a"))


async def test_a_refusal_that_was_lost_with_an_upload_is_asked_for(
    server: ScriptedServer, connected: Connect
) -> None:
    refusal = (400, {"error": {"code": "bad_request", "message": "No."}})
    empty = (400, {"error": {"code": "empty_audio", "message": "It is empty."}})
    upload = create_job(open_audio(b"speech"), "a", {})
    async with connected(server.url) as connection:
        server.uploads = [LOST, refusal]
        with pytest.raises(BadRequest):
            await connection.send(upload)
        server.uploads = [LOST, empty, ACCEPTED]
        assert (await connection.send(upload)).state == "queued"
    assert server.received == [b"speech", b"", b"speech", b"", b"speech"]


async def test_lines_of_a_response_are_passed_on(
    server: ScriptedServer, connected: Connect
) -> None:
    server.jobs = [(200, b"data: 1\n\n: 2\n"), FORGOTTEN]
    async with connected(server.url) as connection:
        assert [line async for line in connection.lines("/jobs/a/events")] == ["data: 1", "", ": 2"]
        with pytest.raises(NotFound):
            [line async for line in connection.lines("/jobs/a/events")]
