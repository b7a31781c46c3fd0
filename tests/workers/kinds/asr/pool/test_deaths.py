"""Crashes, hangs, memory limits and quarantine, with real worker processes."""

import asyncio
import os
import signal
from functools import partial
from pathlib import Path

import psutil
import pytest

from auricle.values.errors import PoisonJob
from auricle.values.types import Job, JobId, Transcript
from tests.support.poll import poll_until
from tests.support.scripted_engine import SECRET, answer
from tests.support.worker_pool import PoolFactory
from tests.workers.kinds.asr.pool.helpers import all_ready, has_restarted, job, pids, states

pytestmark = pytest.mark.process


def marker(tmp_path: Path) -> Path:
    path = tmp_path / "once"
    path.touch()
    return path


@pytest.mark.parametrize("fault", ["segfault", "abort", "exit:3", "raise", "huge"])
async def test_a_death_costs_a_retry_and_no_answer(
    open_pool: PoolFactory, tmp_path: Path, fault: str
) -> None:
    name, _, argument = fault.partition(":")
    script = f"{name}-once:{argument + ':' if argument else ''}{marker(tmp_path)}"
    async with open_pool() as pool:
        victim, others = job("victim", script), [job(f"o{n}") for n in range(6)]
        transcripts = await asyncio.gather(*map(pool.transcribe, [victim, *others]))
        assert [t.text for t in transcripts] == [answer(j.pcm) for j in [victim, *others]]
        assert transcripts[0].attempts == 2
        await all_ready(pool)
        exits = [w.last_exit for w in pool.stats().workers if w.last_exit is not None]
        assert len(exits) == 1
        assert SECRET not in repr(exits)


async def test_a_crash_report_names_the_frame(open_pool: PoolFactory, tmp_path: Path) -> None:
    async with open_pool() as pool:
        await pool.transcribe(job("a", f"segfault-once:{marker(tmp_path)}"))
        (last,) = [w.last_exit for w in pool.stats().workers if w.last_exit is not None]
        assert last.signal == "SIGSEGV"
        assert last.stack[0].startswith("ctypes/__init__.py:")
        assert any("scripted_engine.py" in frame for frame in last.stack)


@pytest.mark.wall_clock
async def test_a_hang_is_ended_by_its_budget_and_its_stack_is_kept(
    open_pool: PoolFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.workers.process.supervisor.DUMP_MARGIN", 0.1)  # time to write it
    async with open_pool(job_timeout_min_s=3.0) as pool:
        transcript = await pool.transcribe(job("a", f"hang-once:{marker(tmp_path)}"))
        assert transcript.attempts == 2
        (last,) = [w.last_exit for w in pool.stats().workers if w.last_exit is not None]
        assert (last.reason, last.signal) == ("hung", "SIGKILL")
        assert any("scripted_engine.py" in frame for frame in last.stack)


@pytest.mark.wall_clock
@pytest.mark.smoke
async def test_a_stopped_worker_is_ended_by_its_budget(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1, job_timeout_min_s=3.0) as pool:
        os.kill(pids(pool)[0], signal.SIGSTOP)
        transcript = await pool.transcribe(job("a"))
        assert transcript.attempts == 2


async def test_when_all_workers_hang_the_pool_is_not_ready_long_before_the_budget_is_used_up(
    open_pool: PoolFactory,
) -> None:
    async with open_pool(workers=2, batch_jobs=1, job_timeout_min_s=600.0) as pool:
        await all_ready(pool, 2)
        stopped = pids(pool)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(pool.transcribe(job(f"j{n}"))) for n in range(2)]
            await poll_until(lambda: pool.stats().is_stuck, "that all are overdue")
            assert not pool.stats().is_working
            assert states(pool) == ["busy", "busy"]
            os.kill(stopped[0], signal.SIGCONT)
            await poll_until(lambda: pool.stats().is_working, "that one works")
            assert [worker.overdue for worker in pool.stats().workers] == [False, True]
            os.kill(stopped[1], signal.SIGCONT)
        assert [task.result().attempts for task in waiting] == [1, 1]
        assert not any(worker.overdue for worker in pool.stats().workers)
        assert sorted(pids(pool)) == sorted(stopped)


async def test_an_idle_worker_that_hangs_is_found_overdue_by_its_self_test(
    open_pool: PoolFactory,
) -> None:
    async with open_pool(workers=1, job_timeout_min_s=600.0, self_test_s=0.5) as pool:
        (pid,) = pids(pool)
        os.kill(pid, signal.SIGSTOP)
        await poll_until(lambda: pool.stats().is_stuck)
        os.kill(pid, signal.SIGCONT)
        await poll_until(lambda: pool.stats().is_working)


async def test_memory_eaten_ends_the_worker_and_not_the_service(
    open_pool: PoolFactory, tmp_path: Path
) -> None:
    async with open_pool(worker_hard_mb=300) as pool:
        transcript = await pool.transcribe(job("a", f"eat-memory-once:{marker(tmp_path)}"))
        assert transcript.attempts == 2


async def test_poison_is_quarantined_and_refused_without_harm_to_others(
    open_pool: PoolFactory,
) -> None:
    async with open_pool() as pool:
        poison, others = job("poison", "segfault"), [job(f"o{n}") for n in range(8)]
        results = await asyncio.gather(
            *map(pool.transcribe, [poison, *others]), return_exceptions=True
        )
        assert isinstance(results[0], PoisonJob)
        assert [r.text for r in results[1:] if isinstance(r, Transcript)] == [
            answer(j.pcm) for j in others
        ]
        with pytest.raises(PoisonJob):
            await pool.transcribe(Job(JobId("again"), poison.pcm.copy()))
        restarts = sum(worker.restarts for worker in pool.stats().workers)
        assert restarts <= 2
        assert pool.stats().jobs.poison == 1


async def test_a_suspect_never_takes_the_last_ready_worker(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        await all_ready(pool)
        poisoned = [pool.transcribe(job(f"p{n}", "segfault")) for n in range(2)]
        # Both first attempts may run in parallel: there is no suspect yet. After that, one
        # worker at least stays untouched.
        outcome = await asyncio.gather(*poisoned, return_exceptions=True)
        assert {type(result) for result in outcome} == {PoisonJob}
        assert pool.stats().jobs.poison == 2


async def test_a_trace_written_earlier_does_not_explain_a_death(
    open_pool: PoolFactory, tmp_path: Path
) -> None:
    async with open_pool(workers=1) as pool:
        await pool.transcribe(job("a", "trace"))
        once = marker(tmp_path)
        running = asyncio.create_task(pool.transcribe(job("b", f"sleep-once:60:{once}")))
        await poll_until(lambda: not once.exists(), "that it sleeps")
        os.kill(pids(pool)[0], signal.SIGKILL)
        assert (await running).attempts == 2
        last = pool.stats().workers[0].last_exit
        assert last is not None
        assert last.stack == ()


async def test_many_deaths_leak_nothing(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        await all_ready(pool)
        me = psutil.Process()
        before = me.num_fds()
        tasks = len(asyncio.all_tasks())
        for n in range(6):
            os.kill(pids(pool)[n % 2], signal.SIGKILL)
            assert (await pool.transcribe(job(f"j{n}"))).text
            await poll_until(partial(has_restarted, pool, n + 1))
            await all_ready(pool)
        await poll_until(lambda: me.num_fds() <= before, "no descriptor leaked")
        await poll_until(lambda: len(asyncio.all_tasks()) <= tasks, "no task leaked")
        assert len(me.children()) == 2
