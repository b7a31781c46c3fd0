"""Turns judged by the real model in real worker processes, and the deaths of these."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import TurnsUnavailable
from auricle.values.types import JobId, TurnJob
from auricle.workers.kinds.turns.pool import TurnPool
from auricle.workers.kinds.turns.settings import TurnSettings
from auricle.workers.kinds.turns.smart_turn import SmartTurn
from tests.support.clips import CLIPS

pytestmark = [pytest.mark.process, pytest.mark.anyio]

LIMIT_S = 150.0
PCM = CLIPS["fellow.wav"].pcm


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def opened() -> AsyncIterator[TurnPool]:
    settings = WorkerSettings.model_validate({"job_timeout_min_s": 60.0, "backoff_first_s": 0.05})
    pool = TurnPool(settings, TurnSettings())
    await pool.start()
    try:
        yield pool
    finally:
        await pool.aclose()


def job(max_wait_s: float = LIMIT_S) -> TurnJob:
    return TurnJob(JobId("j"), PCM, max_wait_s)


async def test_a_session_starts_the_worker_and_its_death_fails_one_job() -> None:
    async with opened() as pool:
        assert (pool.stats().workers, pool.stats().ready) == ((), True)
        pool.prepare()
        assert len(pool.stats().workers) == 1
        assert await pool.judge(job()) == pytest.approx(SmartTurn().probability(PCM))
        (worker,) = pool.stats().workers
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        hung = asyncio.create_task(pool.judge(job()))
        late = asyncio.create_task(pool.judge(job(0.2)))
        with pytest.raises(TurnsUnavailable, match="deadline"):
            await late
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(TurnsUnavailable, match="died"):
            await hung
        assert 0 <= await pool.judge(job()) <= 1
        assert (pool.stats().jobs.done, pool.stats().jobs.failed) == (2, 2)
        (worker,) = pool.stats().workers
    assert worker.pid is not None
    assert not psutil.pid_exists(worker.pid)
    with pytest.raises(TurnsUnavailable, match="shutting down"):
        await pool.judge(job())
