"""Turns judged by the real model in real worker processes, and the deaths of these."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import psutil
import pytest

from auricle.config.settings import TurnSettings, WorkerSettings
from auricle.values.errors import TurnsUnavailable
from auricle.values.types import JobId, TurnJob
from auricle.workers.kinds.turns.messages import JudgeTurn, TurnJudged
from auricle.workers.kinds.turns.pool import TurnPool
from auricle.workers.kinds.turns.schedule import MAX_WAITING
from auricle.workers.kinds.turns.smart_turn import SmartTurn
from auricle.workers.process.process import ProcessExit
from tests.support.clips import CLIPS

pytestmark = [pytest.mark.process, pytest.mark.anyio]

LIMIT_S = 150.0
PCM = CLIPS["fellow.wav"].pcm
DEAD = ProcessExit("SIGKILL", None, ())


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


def not_started() -> TurnPool:
    return TurnPool(WorkerSettings(), TurnSettings())


async def test_jobs_are_done_in_their_order_and_bounded() -> None:
    pool = not_started()
    jobs = [asyncio.create_task(pool.judge(job())) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TurnsUnavailable, match="too many"):
        await pool.judge(job())
    for probability in (0.25, 0.75):
        assignment = pool.next_assignment("w", 0.0)
        assert assignment is not None
        assert isinstance(assignment.work, JudgeTurn)
        pool.received("w", TurnJudged(probability), 0.0)
    assert [await each for each in jobs[:2]] == [0.25, 0.75]
    jobs[2].cancel()
    await asyncio.wait([jobs[2]])
    assert pool.stats().queue.waiting_jobs == MAX_WAITING - 3
    assert pool.poll(time.monotonic() + LIMIT_S + 1) == float("inf")
    for each in jobs[3:]:
        with pytest.raises(TurnsUnavailable, match="deadline"):
            await each
    assert pool.stats().queue.waiting_jobs == 0


async def test_the_job_of_a_worker_that_dies_fails() -> None:
    pool = not_started()
    task = asyncio.create_task(pool.judge(job()))
    await asyncio.sleep(0)
    assert pool.next_assignment("w", 0.0) is not None
    pool.died("w", DEAD, "exited", 0.0)
    with pytest.raises(TurnsUnavailable, match="died"):
        await task


async def test_workers_that_cannot_start_keep_nobody_waiting() -> None:
    pool = not_started()
    task = asyncio.create_task(pool.judge(job()))
    await asyncio.sleep(0)
    pool.died("w", DEAD, "start", 0.0)
    with pytest.raises(TurnsUnavailable, match="cannot start"):
        await task
    assert np.isinf(pool.poll(0.0))
