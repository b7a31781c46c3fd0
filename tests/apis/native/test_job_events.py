"""Progress of jobs as server-sent events, through the whole application."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from auricle.ledger.jobs.job import Job
from auricle.server import job_followers
from auricle.server.job_followers import POLL_S
from auricle.values.types import ClientId
from tests.support.service import CLIP, WAV, Live, live, poll_until

pytestmark = pytest.mark.server


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path / "live") as started:
        started.transcriber.gate = anyio.Event()
        yield started
        started.transcriber.gate.set()


@pytest.fixture
async def client(running: Live) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as made:
        await made.post("/utterance?wait=0&job_id=a1", content=CLIP.path.read_bytes(), headers=WAV)
        yield made


async def events(response: httpx2.Response) -> AsyncIterator[Any]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


async def test_the_last_event_has_the_result(running: Live, client: httpx2.AsyncClient) -> None:
    states = []
    with anyio.fail_after(60):
        async with client.stream("GET", "/jobs/a1/events") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            async for job in events(response):
                states.append(job["state"])
                if job["state"] == "running":
                    assert running.transcriber.gate is not None
                    running.transcriber.gate.set()
    assert states[-2:] == ["running", "done"]
    assert job == (await client.get("/jobs/a1")).json()


@pytest.mark.parametrize("end", ["delete", "drain"])
async def test_the_stream_ends_with_the_job_or_the_server(
    running: Live, client: httpx2.AsyncClient, end: str
) -> None:
    with anyio.fail_after(60):
        async with client.stream("GET", "/jobs/a1/events") as response:
            async for job in events(response):
                if job["state"] != "running":
                    continue
                if end == "delete":
                    await client.delete("/jobs/a1")
                else:
                    running.state.drain()
    assert job["state"] == "running"


async def test_a_client_that_leaves_ends_the_stream(
    running: Live, client: httpx2.AsyncClient
) -> None:
    async with client.stream("GET", "/jobs/a1/events") as response:
        async for _ in events(response):
            break
    await poll_until(lambda: not running.state.lifecycle.requests)


async def test_head_does_not_wait_for_the_end(client: httpx2.AsyncClient) -> None:
    with anyio.fail_after(60):
        answer = await client.head("/jobs/a1/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_an_unknown_job_has_no_events(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/jobs/nobody/events")).status_code == 404


async def test_many_streams_of_a_job_read_the_database_as_often_as_one(
    running: Live, client: httpx2.AsyncClient
) -> None:
    ledger = running.state.storage.ledger
    find, reads, began_at = ledger.find, list[str](), time.monotonic()

    def counted(owner: ClientId, job_id: str) -> Job | None:
        reads.append(job_id)
        return find(owner, job_id)

    ledger.find = counted  # type: ignore[method-assign]
    streams = 20

    async def follow() -> None:
        async with client.stream("GET", "/jobs/a1/events") as response:
            async for _ in events(response):
                pass

    async with anyio.create_task_group() as group:
        for _ in range(streams):
            group.start_soon(follow)
        await poll_until(lambda: len(reads) >= streams + 4)
        group.cancel_scope.cancel()
    assert len(reads) <= streams + 2 + (time.monotonic() - began_at) / POLL_S


async def test_too_many_streams_are_refused(
    running: Live, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_followers, "MAX_STREAMS", 1)
    with anyio.fail_after(60):
        async with client.stream("GET", "/jobs/a1/events") as response:
            async for _ in events(response):
                refused = await client.get("/jobs/a1/events")
                break
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_full")
    assert "GET /jobs/ID" in refused.json()["error"]["message"]
