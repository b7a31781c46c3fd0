"""Wyoming over real workers: what a full server and a dying worker mean to Home Assistant."""

import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from auricle.apis.wyoming import live
from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.live import LiveSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.server import ServerSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.workers.kinds.asr.pool import WorkerPool
from tests.apis.wyoming.service import WyomingService, event, spoken, wyoming_port
from tests.support.decoder import FakeDecoder
from tests.support.poll import poll_until
from tests.support.pool import worker_pool
from tests.support.service import application, listening
from tests.support.stream import SPEECH

pytestmark = pytest.mark.process


@dataclass
class Served:
    """A pool, what serves it, and the file that holds its batches while it exists."""

    pool: WorkerPool
    service: WyomingService
    held: Path

    def kill_busy(self) -> bool:
        """Kill a busy worker; return whether there was one.

        On a slow machine two are busy, with an early final and the final of the same audio. Both
        deaths would be blamed on it.
        """
        for worker in self.pool.stats().workers:
            if worker.state == "busy" and worker.pid is not None:
                os.kill(worker.pid, signal.SIGKILL)
                return True
        return False


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    pool = worker_pool(
        WorkerSettings(workers=2, job_timeout_min_s=60, backoff_first_s=0.01),
        QueueSettings(),
        model=f"scripted:hold:{tmp_path / 'held'}",
    )
    ledger = LedgerSettings(state_dir=tmp_path / "state")
    settings = Settings(
        server=ServerSettings(spool_dir=tmp_path / "spool"),
        ledger=ledger,
        live=LiveSettings(live_speakers=1),
    )
    async with (
        application(settings, pool, FakeDecoder()) as app,
        wyoming_port(app.service) as port,
        listening(app),
    ):
        try:
            service = WyomingService(app, None, None, port=port)  # type: ignore[arg-type]  # no fakes here
            yield Served(pool, service, tmp_path / "held")
        finally:
            await pool.aclose()


async def test_worker_deaths_cost_no_word_and_no_worker_at_all_is_no_reason_to_be_silent(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(live, "ADMISSION_WAIT_S", 0.3)
        async with served.service.call() as caller:
            await caller.send(event("describe"))
            await caller.until("info")
            await caller.send(spoken())
            assert [found.type for found in await caller.until_closed()] == ["info", "error"]
            assert caller.of("error")[0]["code"] == "no_worker_ready"
    await served.pool.start()
    await served.pool.wait_ready(60)
    async with served.service.call() as caller:
        heard = await caller.ask()
        assert heard
        served.held.touch()
        await caller.send(spoken())
        await poll_until(served.kill_busy)
        served.held.unlink()
        assert (await caller.until("transcript")).data["text"] == heard
        assert caller.of("error") == []


async def test_an_utterance_that_begins_while_all_workers_start_again_waits_for_one(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "ADMISSION_WAIT_S", 60.0)
    await served.pool.start()
    await served.pool.wait_ready(60)
    for worker in served.pool.stats().workers:
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)

    def have_died() -> bool:
        stats = served.pool.stats()
        return not stats.ready or all(worker.restarts for worker in stats.workers)

    await poll_until(have_died)
    async with served.service.call() as caller:
        assert await caller.ask()
        assert caller.of("error") == []


@pytest.mark.usefixtures("speakers_at_once")
async def test_a_full_server_says_so_and_never_to_those_that_are_in(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    await served.pool.start()
    await served.pool.wait_ready(60)
    first, last = spoken()[:200_000], spoken()[200_000:]
    async with served.service.call() as within:
        await within.send(first)
        await within.until("voice-started")
        sessions = served.service.app.service.live
        await poll_until(lambda: sessions.admission.speakers == 1)
        with monkeypatch.context() as patched:
            patched.setattr(live, "ADMISSION_WAIT_S", 0.3)
            async with served.service.call() as refused:
                await refused.send(spoken(SPEECH[:16_000]))
                await refused.until_closed()
                assert [error["code"] for error in refused.of("error")] == ["server_full"]
        await within.send(last)
        assert (await within.until("transcript")).data["text"]
    async with served.service.call() as again:
        assert await again.ask()
