import asyncio
import errno
import io
import os
import resource
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import structlog

from auricle.config.settings import WorkerSettings
from auricle.errors import (
    AudioError,
    BadRequest,
    DeadlineExceeded,
    Draining,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    SetupError,
    Superseded,
)
from auricle.types import ClientId, Job, JobId, JobKind, Options, ReservationRequest, Transcript
from auricle.workers.asr.pool import WorkerPool
from auricle.workers.process.messages import StartAsr
from tests.support.poll import poll_until
from tests.support.pool import worker_pool
from tests.support.scripted_engine import SECRET, answer
from tests.support.worker_pool import PoolFactory

pytestmark = pytest.mark.process

SEED = np.random.default_rng(7)


def job(
    name: str,
    script: str | None = None,
    *,
    seconds: float = 1.0,
    kind: JobKind = JobKind.FINAL,
    utterance: str = "",
    max_wait_s: float | None = None,
    client: str = "anonymous",
    reservation: str | None = None,
) -> Job:
    pcm = SEED.integers(-3000, 3000, int(16_000 * seconds), dtype=np.int16)
    options = Options(initial_prompt=f"scripted:{script}" if script else None)
    return Job(
        JobId(name),
        pcm,
        options,
        kind=kind,
        utterance=utterance,
        max_wait_s=max_wait_s,
        client=ClientId(client),
        reservation=reservation,
    )


def marker(tmp_path: Path) -> Path:
    path = tmp_path / "once"
    path.touch()
    return path


async def all_ready(pool: WorkerPool, count: int = 2) -> None:
    await poll_until(lambda: states(pool).count("ready") == count, "every worker ready")


def states(pool: WorkerPool) -> list[str]:
    return [worker.state for worker in pool.stats().workers]


def has_restarted(pool: WorkerPool, times: int) -> bool:
    return sum(worker.restarts for worker in pool.stats().workers) == times


def pids(pool: WorkerPool) -> list[int]:
    return [worker.pid for worker in pool.stats().workers if worker.pid is not None]


async def test_each_job_gets_its_own_answer(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        jobs = [job(f"j{n}", seconds=0.1 + n / 10) for n in range(20)]
        transcripts = await asyncio.gather(*map(pool.transcribe, jobs))
        assert [t.text for t in transcripts] == [answer(j.pcm) for j in jobs]
        assert {t.attempts for t in transcripts} == {1}
        assert pool.stats().jobs.done == 20


async def test_words_and_times_come_through(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        asked = job("a")
        options = Options(language="de", word_timestamps=True)
        transcript = await pool.transcribe(Job(asked.id, asked.pcm, options))
        (segment,) = transcript.segments
        assert segment.words is not None
        assert (transcript.language, segment.end_sample) == ("de", asked.pcm.size)
        assert segment.words[0].end_sample == asked.pcm.size
        assert transcript.timing.ipc_ms >= 0


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


async def test_a_hang_is_ended_by_its_budget_and_its_stack_is_kept(
    open_pool: PoolFactory, tmp_path: Path
) -> None:
    async with open_pool(job_timeout_min_s=1.0) as pool:
        transcript = await pool.transcribe(job("a", f"hang-once:{marker(tmp_path)}"))
        assert transcript.attempts == 2
        (last,) = [w.last_exit for w in pool.stats().workers if w.last_exit is not None]
        assert (last.reason, last.signal) == ("hung", "SIGKILL")
        assert any("scripted_engine.py" in frame for frame in last.stack)


async def test_a_stopped_worker_is_ended_by_its_budget(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1, job_timeout_min_s=1.0) as pool:
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


async def test_poison_is_convicted_refused_and_nobody_else_with_it(
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
        outcome = asyncio.gather(*poisoned, return_exceptions=True)
        down = 0
        while not outcome.done():
            await asyncio.sleep(0.005)
            down += not any(state in ("ready", "busy") for state in states(pool))
        # Both first attempts may run in parallel: there is no suspect yet. After that, one
        # worker at least stays untouched.
        assert {type(result) for result in await outcome} == {PoisonJob}
        assert pool.stats().jobs.poison == 2


async def test_audio_that_the_engine_refuses_leaves_the_worker_up(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1) as pool:
        before = pids(pool)
        with pytest.raises(AudioError) as caught:
            await pool.transcribe(job("a", "audio-error"))
        assert SECRET not in str(caught.value)
        assert (await pool.transcribe(job("b"))).attempts == 1
        assert pids(pool) == before


async def test_a_library_that_prints_does_not_break_the_wire(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1) as pool:
        assert (await pool.transcribe(job("a", "print"))).attempts == 1
        assert (await pool.transcribe(job("b", "chatter:5000000"))).attempts == 1


async def test_the_deadline_ends_the_wait_and_the_worker_goes_on(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1) as pool:
        with pytest.raises(DeadlineExceeded):
            await pool.transcribe(job("slow", "sleep:1.0", max_wait_s=0.2))
        assert (await pool.transcribe(job("b"))).attempts == 1
        assert pool.stats().workers[0].restarts == 0


async def test_a_caller_that_leaves_frees_its_place(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1, batch_jobs=1) as pool:
        running = asyncio.create_task(pool.transcribe(job("slow", "sleep:0.5")))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        waiting = asyncio.create_task(pool.transcribe(job("waiting")))
        await poll_until(lambda: pool.stats().queue.waiting_jobs == 1)
        waiting.cancel()
        running.cancel()
        await asyncio.wait([waiting, running])
        assert pool.stats().queue.waiting_jobs == 0
        assert (await pool.transcribe(job("next"))).attempts == 1


async def test_finals_pass_partials_and_files(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1, batch_jobs=1) as pool:
        order: list[str] = []

        async def run(a_job: Job) -> None:
            await pool.transcribe(a_job)
            order.append(a_job.id)

        async with asyncio.TaskGroup() as group:
            group.create_task(run(job("first", "sleep:0.5")))
            await poll_until(lambda: pool.stats().queue.running_jobs == 1)
            for kind in (JobKind.FILE, JobKind.PARTIAL, JobKind.SPECULATIVE, JobKind.FINAL):
                group.create_task(run(job(kind.value, kind=kind)))
        assert order == ["first", "final", "speculative", "partial", "file"]


async def test_a_newer_partial_replaces_a_waiting_one(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1, batch_jobs=1) as pool:
        async with asyncio.TaskGroup() as group:
            group.create_task(pool.transcribe(job("first", "sleep:0.5")))
            await poll_until(lambda: pool.stats().queue.running_jobs == 1)
            partials = [
                asyncio.create_task(
                    pool.transcribe(job(f"p{n}", kind=JobKind.PARTIAL, utterance="s1/1"))
                )
                for n in range(3)
            ]
        results = await asyncio.gather(*partials, return_exceptions=True)
        assert [type(result) for result in results] == [Superseded, Superseded, Transcript]


async def test_overload_refuses_with_a_time_and_keeps_what_it_took(
    open_pool: PoolFactory,
) -> None:
    async with open_pool(workers=1, batch_jobs=1, queue_jobs=4) as pool:
        jobs = [job(f"j{n}", "sleep:0.05") for n in range(30)]
        results = await asyncio.gather(*map(pool.transcribe, jobs), return_exceptions=True)
        refused = [r for r in results if isinstance(r, Overloaded)]
        accepted = [r for r in results if isinstance(r, Transcript)]
        assert len(refused) + len(accepted) == 30
        assert len(accepted) >= 4
        assert all(r.retry_after_s >= 1 for r in refused)


async def test_a_greedy_key_leaves_the_modest_one_its_share(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1, batch_jobs=1) as pool:
        order: list[str] = []

        async def run(a_job: Job) -> None:
            await pool.transcribe(a_job)
            order.append(a_job.client)

        async with asyncio.TaskGroup() as group:
            group.create_task(run(job("first", "sleep:0.5", client="greedy")))
            await poll_until(lambda: pool.stats().queue.running_jobs == 1)
            for n in range(20):
                group.create_task(run(job(f"g{n}", seconds=2, client="greedy")))
            for n in range(4):
                group.create_task(run(job(f"m{n}", seconds=2, client="modest")))
        assert order[:12].count("modest") == 4


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
        while pool.stats().replaced < 2:  # successors load for as long as it takes
            count += 1
            assert (await pool.transcribe(job(f"j{count}", "sleep:0.02"))).attempts == 1
        await poll_until(lambda: states(pool) == ["ready", "ready"])
        assert not before & set(pids(pool))


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
    dealt = [pool.start_message(slot) for slot in range(4)]
    assert [m.device_index for m in dealt if isinstance(m, StartAsr)] == [0, 1, 0, 1]


async def test_an_idle_worker_is_tried_out(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1, self_test_s=0.1) as pool:
        await poll_until(lambda: pool.stats().workers[0].jobs_done >= 2)
        assert pool.stats().jobs.done == 0


async def test_closing_finishes_what_was_accepted_and_leaves_no_child(
    open_pool: PoolFactory,
) -> None:
    async with open_pool() as pool:
        children = [psutil.Process(pid) for pid in pids(pool)]
        accepted = asyncio.create_task(pool.transcribe(job("a", "sleep:0.5")))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        await pool.aclose(drain_s=30)
        assert (await accepted).attempts == 1
        with pytest.raises(Draining):
            await pool.transcribe(job("late"))
        assert not any(child.is_running() for child in children)


async def test_closing_does_not_wait_for_a_hung_worker(open_pool: PoolFactory) -> None:
    async with open_pool(workers=1) as pool:
        (child,) = map(psutil.Process, pids(pool))
        hung = asyncio.create_task(pool.transcribe(job("a", "hang")))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        started = time.monotonic()
        await pool.aclose(drain_s=0.1)
        assert time.monotonic() - started < 30
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


async def test_a_trace_written_earlier_does_not_explain_a_death(
    open_pool: PoolFactory,
) -> None:
    async with open_pool(workers=1) as pool:
        await pool.transcribe(job("a", "trace"))
        running = asyncio.create_task(pool.transcribe(job("b", "sleep:1.0")))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
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
        await poll_until(lambda: me.num_fds() == before, "no descriptor leaked")
        await poll_until(lambda: len(asyncio.all_tasks()) == tasks, "no task leaked")
        assert len(me.children()) == 2


@pytest.mark.parametrize(
    "options", [Options(initial_prompt="\udce9"), Options(beam_size=2**70)], ids=str
)
async def test_options_that_cannot_be_sent_are_refused(
    open_pool: PoolFactory, options: Options
) -> None:
    async with open_pool() as pool:
        with pytest.raises(BadRequest):
            await pool.transcribe(Job(JobId("a"), job("a").pcm, options))
        assert (await pool.transcribe(job("b"))).attempts == 1
        assert not has_restarted(pool, 1)


async def test_a_job_that_cannot_be_handed_over_ends_alone(
    open_pool: PoolFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.workers.asr.pool.refuse_unsendable", lambda job: None)
    async with open_pool(poison_attempts=1) as pool:
        await all_ready(pool)
        with pytest.raises(PoisonJob):
            await pool.transcribe(Job(JobId("a"), job("a").pcm, Options(beam_size=2**70)))
        assert (await pool.transcribe(job("b"))).attempts == 1


async def test_a_reservation_is_no_way_into_a_closed_pool(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        reservation = pool.reserve(ReservationRequest(ClientId("anonymous"), 5.0))
        await pool.aclose()
        with pytest.raises(Draining):
            await pool.transcribe(job("late", reservation=reservation))


async def test_prefix_and_tokens_travel_with_the_job(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        options = Options(word_timestamps=True, prefix_tokens=(7, 8), is_guess=True)
        transcript = await pool.transcribe(Job(JobId("a"), job("a").pcm, options))
        (segment,) = transcript.segments
        assert segment.words is not None
        assert segment.words[0].tokens == (7, 8)
        assert segment.words[0].probability == 0.25  # the fake's value for `is_guess`


async def test_what_a_piece_wants_travels_with_the_job(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        starts = []
        for options in (Options(is_piece=True), Options(is_piece=True, sentence_times=False)):
            transcript = await pool.transcribe(Job(JobId("a"), job("a").pcm, options))
            starts.append(transcript.segments[0].start_sample)
        assert starts == [1, 0]  # what the fake makes of them


async def test_a_slow_model_has_time_for_its_self_test(open_pool: PoolFactory) -> None:
    async with open_pool(
        "scripted:slow:0.5", workers=1, self_test_s=0.1, job_timeout_min_s=0.1
    ) as pool:
        await poll_until(lambda: pool.stats().workers[0].jobs_done >= 2)
        assert has_restarted(pool, 0)


async def test_samples_that_do_not_lie_together_are_recognised(open_pool: PoolFactory) -> None:
    async with open_pool() as pool:
        stereo = job("a", seconds=2.0).pcm
        transcript = await pool.transcribe(Job(JobId("left"), stereo[::2]))
        assert transcript.text == answer(stereo[::2])


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
