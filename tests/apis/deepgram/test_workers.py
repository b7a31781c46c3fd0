"""Deepgram's clients over real workers: what a full server and a dying worker mean to them."""

import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.live import LiveSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.server import ServerSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.server.live.registry import LiveSessions
from auricle.workers.kinds.asr.pool import WorkerPool
from tests.support.decoder import FakeDecoder
from tests.support.pool import worker_pool
from tests.support.service import CLIP, application, listening, poll_until
from tests.support.stream import SPEECH, Caller, call, pcm

pytestmark = pytest.mark.process

LINEAR: dict[str, Any] = {"encoding": "linear16", "sample_rate": 16_000}


@dataclass
class Served:
    """A pool, what serves it, and the file that holds its batches while it exists."""

    pool: WorkerPool
    port: int
    live: LiveSessions
    held: Path

    def listen(self, **query: Any) -> AbstractAsyncContextManager[Caller]:
        return call(self.port, path="/v1/listen", **query)

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60)

    async def kill_who_works(self) -> None:
        """Kill one worker that is busy with held batches, and let the others go on."""
        await poll_until(self._kill_busy)
        self.held.unlink()

    def _kill_busy(self) -> bool:
        for worker in self.pool.stats().workers:
            if worker.state == "busy" and worker.pid is not None:
                os.kill(worker.pid, signal.SIGKILL)
                return True
        return False

    @property
    def restarts(self) -> int:
        return sum(worker.restarts for worker in self.pool.stats().workers)


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    held = tmp_path_factory.mktemp("held") / "held"
    pool = worker_pool(
        WorkerSettings(workers=2, job_timeout_min_s=60, backoff_first_s=0.01),
        QueueSettings(),
        model=f"scripted:hold:{held}",
    )
    await pool.start()
    try:
        await pool.wait_ready(60)
        settings = Settings(
            server=ServerSettings(spool_dir=tmp_path_factory.mktemp("spool")),
            ledger=LedgerSettings(state_dir=tmp_path_factory.mktemp("state")),
            live=LiveSettings(live_speakers=1),
        )
        async with application(settings, pool, FakeDecoder()) as app, listening(app) as port:
            yield Served(pool, port, app.service.live, held)
    finally:
        await pool.aclose()


async def say(served: Served) -> list[dict[str, Any]]:
    """Return the results of a stream, without what is different each time.

    A ``Finalize`` that comes after the last final, on a slow machine, has an empty result.
    """
    async with served.listen(**LINEAR) as caller:
        for _ in range(2):
            await caller.send(pcm(SPEECH))
            await caller.tell("Finalize")
        await caller.tell("CloseStream")
        assert await caller.until_closed() == (1000, "")
    spoken = [result for result in caller.of("Results") if _text(result)]
    for result in spoken:
        del result["metadata"], result["from_finalize"]
    return spoken


def _text(result: dict[str, Any]) -> str:
    return str(result["channel"]["alternatives"][0]["transcript"])


async def test_a_worker_s_death_in_mid_stream_is_invisible(served: Served) -> None:
    expected = await say(served)
    assert len(expected) >= 2
    restarts = served.restarts
    found: list[dict[str, Any]] = []

    async def again() -> None:
        found.extend(await say(served))

    served.held.touch()
    async with anyio.create_task_group() as group:
        group.start_soon(again)
        await served.kill_who_works()
    assert found == expected
    await poll_until(lambda: served.restarts > restarts)


async def test_a_worker_s_death_in_mid_request_is_invisible(served: Served) -> None:
    async def text(client: httpx2.AsyncClient) -> str:
        answer = await client.post(
            "/v1/listen", content=CLIP.path.read_bytes(), headers={"content-type": "audio/wav"}
        )
        assert answer.status_code == 200
        found: str = answer.json()["results"]["channels"][0]["alternatives"][0]["transcript"]
        return found

    restarts, found = served.restarts, []
    async with served.client() as client:
        expected = await text(client)

        async def again() -> None:
            found.append(await text(client))

        served.held.touch()
        async with anyio.create_task_group() as group:
            group.start_soon(again)
            await served.kill_who_works()
    assert found == [expected]
    await poll_until(lambda: served.restarts > restarts)


@pytest.mark.usefixtures("speakers_at_once")
async def test_a_full_server_says_when_to_retry(served: Served) -> None:
    async with served.listen(**LINEAR) as speaker:
        await speaker.send(pcm(SPEECH[:32_000]))  # the utterance stays open
        await poll_until(lambda: served.live.admission.speakers == 1)
        with pytest.raises(InvalidStatus) as caught:
            async with served.listen(**LINEAR):
                pass
        response = caught.value.response
        assert response.status_code == 503
        body = json.loads(response.body or b"")
        assert (body["err_code"], body["code"]) == ("SERVICE_UNAVAILABLE", "server_full")
        assert int(response.headers["retry-after"]) >= 1
        async with served.client() as client:  # an idle worker takes a file all the same
            answer = await client.post("/v1/listen", content=CLIP.path.read_bytes())
        assert answer.status_code == 200
