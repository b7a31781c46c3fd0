"""Start, replacement, self-test and end of worker processes."""

import asyncio
import errno
import io
import os
import resource
import signal
from pathlib import Path

import psutil
import pytest
import structlog

from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import Draining, NoWorkerReady, SetupError
from auricle.values.types import ClientId, ReservationRequest
from auricle.workers.kinds.asr.messages import StartAsr
from tests.support.poll import poll_until
from tests.support.pool import worker_pool
from tests.support.worker_pool import PoolFactory
from tests.workers.kinds.asr.pool.helpers import (
    all_ready,
    closed_gate,
    has_restarted,
    job,
    pids,
    states,
)

pytestmark = pytest.mark.process


async def test_without_a_ready_worker_new_work_is_refused_and_accepted_work_waits(
    open_pool: PoolFactory,
) -> None:
    async with open_pool(workers=1) as pool:
        reservation = pool.reserve(ReservationRequest(ClientId("anonymous"), 5.0))
        os.kill(pids(pool)[0], signal.SIGKILL)
        await poll_until(lambda: states(pool) != ["ready"])
        with pytest.raises(NoWorkerReady) as caught:
            await pool.transcribe(job("new"))
        assert caught.value.retry_after_s >= 1
        assert not pool.stats().ready
        assert (await pool.transcribe(job("accepted", reservation=reservation))).attempts == 1
        assert pool.stats().ready


async def test_a_worker_is_replaced_after_its_jobs_without_a_gap(open_pool: PoolFactory) -> None:
    async with open_pool(workers=2, worker_max_jobs=3, batch_jobs=1) as pool:
        before = set(pids(pool))
        count = 0
        while before & set(pids(pool)):  # workers load for as long as it takes
            count += 1
            assert (await pool.transcribe(job(f"j{count}", "sleep:0.02"))).attempts == 1
        await all_ready(pool)


async def test_a_worker_that_does_not_leave_when_replaced_is_killed(
    open_pool: PoolFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.workers.process.supervisor.STOP_GRACE_S", 0.1)
    async with open_pool(workers=1, worker_max_jobs=3) as pool:
        (old,) = map(psutil.Process, pids(pool))
        for n in range(3):
            await pool.transcribe(job(f"j{n}"))
        old.suspend()
        await poll_until(lambda: pool.stats().replaced == 1)
        await poll_until(lambda: not old.is_running(), "the old one's end")
        await all_ready(pool, 1)


async def test_a_failed_load_is_an_error_that_says_why(open_pool: PoolFactory) -> None:
    async with open_pool(model="scripted:setup-error", ready=False) as pool:
        with pytest.raises(SetupError, match="no such model"):
            await pool.wait_ready(60)
        assert not pool.stats().ready


async def test_a_worker_that_never_gets_ready_is_killed_and_started_again(
    open_pool: PoolFactory,
) -> None:
    async with open_pool(model="scripted:hang", ready=False, start_budget_s=0.5, workers=1) as pool:
        await poll_until(lambda: pool.stats().workers[0].restarts >= 1)
        last = pool.stats().workers[0].last_exit
        assert last is not None
        assert last.reason == "start"


async def test_workers_are_dealt_out_to_the_gpus() -> None:
    pool = worker_pool(WorkerSettings(workers=4), device="cuda", gpus=2)
    dealt = [pool._supervisor._launch.start_message(slot) for slot in range(4)]
    assert [m.device_index for m in dealt if isinstance(m, StartAsr)] == [0, 1, 0, 1]


async def test_an_idle_worker_is_tried_out(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1, self_test_s=0.1) as pool:
        await poll_until(lambda: pool.stats().workers[0].jobs_done >= 2)
        assert pool.stats().jobs.done == 0


async def test_the_self_test_is_in_a_language_of_the_engine(open_pool: PoolFactory) -> None:
    async with open_pool(
        engine="tests.support.limited_engine", model=None, workers=1, self_test_s=0.1
    ) as pool:
        await poll_until(lambda: pool.stats().workers[0].jobs_done >= 2)
        assert has_restarted(pool, 0)


async def test_closing_finishes_what_was_accepted_and_leaves_no_child(
    open_pool: PoolFactory, tmp_path: Path
) -> None:
    gate = closed_gate(tmp_path)
    async with open_pool() as pool:
        children = [psutil.Process(pid) for pid in pids(pool)]
        accepted = asyncio.create_task(pool.transcribe(job("a", f"hold:{gate}")))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        closing = asyncio.create_task(pool.aclose(drain_s=120))
        await asyncio.sleep(0)
        gate.unlink()
        await closing
        assert (await accepted).attempts == 1
        with pytest.raises(Draining):
            await pool.transcribe(job("late"))
        assert not any(child.is_running() for child in children)


async def test_closing_does_not_wait_for_a_hung_worker(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1) as pool:
        (child,) = map(psutil.Process, pids(pool))
        hung = asyncio.create_task(pool.transcribe(job("a", "hang")))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        await pool.aclose(drain_s=0.1)
        with pytest.raises(Draining):
            await hung
        assert not child.is_running()


async def test_closing_does_not_wait_for_a_load(
    open_pool: PoolFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.workers.process.supervisor.STOP_GRACE_S", 1000.0)
    async with open_pool(model="scripted:hang", ready=False) as pool:
        await poll_until(lambda: len(pids(pool)) == 2)
        children = [psutil.Process(pid) for pid in pids(pool)]
        await pool.aclose()
        assert not any(child.is_running() for child in children)


@pytest.mark.wall_clock
async def test_a_slow_model_has_time_for_its_self_test(open_pool: PoolFactory) -> None:
    async with open_pool(
        "scripted:slow:0.5", workers=1, self_test_s=0.1, job_timeout_min_s=0.1
    ) as pool:
        await poll_until(lambda: pool.stats().workers[0].jobs_done >= 2)
        assert has_restarted(pool, 0)


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_under_the_log_ends_no_worker(open_pool: PoolFactory) -> None:
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(FullDisk()))
    try:
        async with open_pool(workers=1) as pool:
            os.kill(pids(pool)[0], signal.SIGKILL)
            await poll_until(lambda: has_restarted(pool, 1))
            await all_ready(pool, 1)
            assert (await pool.transcribe(job("a"))).attempts == 1
    finally:
        structlog.configure(**before)


async def test_a_lack_of_descriptors_ends_no_worker(
    open_pool: PoolFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.workers.process.supervisor.TICK_S", 0.01)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with open_pool(workers=1) as pool:
        before = pids(pool)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            for _ in range(20):
                assert (await pool.transcribe(job("a", "sleep:0.01"))).attempts == 1
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert pids(pool) == before
