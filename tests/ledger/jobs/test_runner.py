"""Runners with real databases: takeover, shutdown, cancellation, a database that is away."""

import functools
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from auricle.ledger.audio.directory import AudioDirectory
from auricle.ledger.databases.database import Database
from auricle.ledger.jobs import runner as runner_module
from auricle.ledger.jobs.job import Job, JobState, Outcome
from auricle.ledger.jobs.lease import LEASE_S, claim_of
from auricle.ledger.jobs.quota import Quota
from auricle.ledger.jobs.runner import MAX_THREADS, POSTPONED_RETRY_S, JobRunner, RunningJob, Work
from auricle.ledger.jobs.store import Ledger
from auricle.values.errors import LedgerFailed, LedgerUnavailable
from auricle.values.types import ClientId
from tests.support.ledger import DatabaseAway, a_spec
from tests.support.poll import poll_until

KEY = ClientId("key")
QUOTA = Quota(max_jobs=1000, max_ended_jobs=1000, max_audio_bytes=10**9)
POISONED = Outcome(JobState.FAILED, keep_s=60)
DONE = Outcome(JobState.DONE, keep_s=60, result=b"{}", text="words")


class Clock:
    """A wall clock that tests move, and that counts how often it is read."""

    now = 1.8e9
    reads = 0

    def __call__(self) -> float:
        self.reads += 1
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def audio(tmp_path: Path) -> AudioDirectory:
    return AudioDirectory(tmp_path / "audio")


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database, "gateway-1", POISONED)


@pytest.fixture
def submit(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, tmp_path: Path
) -> Callable[[str], Job]:
    upload = tmp_path / "upload"
    upload.write_bytes(b"RIFF")

    def submit(job_id: str) -> Job:
        job, _ = ledger.accept(a_spec(job_id, audio=audio.put(upload)), QUOTA, clock())
        return job

    return submit


def state_of(ledger: Ledger, job_id: str = "job") -> JobState:
    job = ledger.find(KEY, job_id)
    assert job is not None
    return job.state


@asynccontextmanager
async def running(runner: JobRunner) -> AsyncIterator[None]:
    async with anyio.create_task_group() as group:
        group.start_soon(runner.run)
        yield
        group.cancel_scope.cancel()


async def finish(_: RunningJob) -> Outcome:
    return DONE


async def test_accepted_jobs_are_done_and_their_audio_is_deleted(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    for index in range(5):
        submit(str(index))
    async with running(JobRunner(ledger, audio, finish, max_running=2, now=clock)):
        await poll_until(lambda: all(state_of(ledger, str(n)) is JobState.DONE for n in range(5)))
        await poll_until(lambda: not list(audio.names(1e12)))


async def test_no_more_jobs_run_at_a_time_than_there_are_slots(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    started, go_on = 0, anyio.Event()

    async def work(_: RunningJob) -> Outcome:
        nonlocal started
        started += 1
        await go_on.wait()
        return DONE

    for index in range(3):
        submit(str(index))
    runner = JobRunner(ledger, audio, work, max_running=2, now=clock)
    async with running(runner):
        await poll_until(lambda: started == 2)
        assert ledger.backlog().queued == 1
        go_on.set()
        await poll_until(lambda: state_of(ledger, "2") is JobState.DONE)


async def test_a_job_of_another_key_does_not_wait_for_a_key_that_has_all_slots(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "POLL_S", 0.01)
    started: list[str] = []
    ends: dict[str, anyio.Event] = defaultdict(anyio.Event)

    async def work(running: RunningJob) -> Outcome:
        started.append(running.job.spec.job_id)
        await ends[running.job.spec.job_id].wait()
        return DONE

    def submit(job_id: str, owner: str) -> None:
        ledger.accept(a_spec(job_id, owner), QUOTA, clock())

    for job_id in ("greedy 1", "greedy 2", "greedy 3"):
        submit(job_id, "greedy")
    async with running(JobRunner(ledger, audio, work, max_running=2, now=clock)):
        await poll_until(lambda: len(started) == 2)
        submit("modest 1", "modest")
        submit("modest 2", "modest")
        await poll_until(lambda: started[2:] == ["modest 1"])
        ends["modest 1"].set()
        await poll_until(lambda: started[3:] == ["modest 2"])
        ends["modest 2"].set()
        await poll_until(lambda: ledger.backlog().running == 2)
        reads = clock.reads
        await poll_until(lambda: clock.reads > reads + 3)  # each time to lease a job
        assert len(started) == 4, "a key alone has its slots only"
        ends["greedy 1"].set()
        await poll_until(lambda: started[4:] == ["greedy 3"])


async def test_a_draining_runner_starts_no_job_of_another_key(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "POLL_S", 0.01)
    started: list[str] = []

    async def work(running: RunningJob) -> Outcome:
        started.append(running.job.spec.owner)
        await anyio.sleep_forever()
        raise AssertionError

    ledger.accept(a_spec("job", "greedy"), QUOTA, clock())
    runner = JobRunner(ledger, audio, work, max_running=1, now=clock)
    async with running(runner):
        await poll_until(lambda: started == ["greedy"])
        runner.drain()
        await anyio.sleep(0.05)
        ledger.accept(a_spec("job", "modest"), QUOTA, clock())
        await anyio.sleep(0.1)
        assert started == ["greedy"]


async def test_a_runner_that_stops_queues_its_jobs_again(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    has_started = anyio.Event()

    async def work(job: RunningJob) -> Outcome:
        await job.store_chunk("0", b"zero")
        has_started.set()
        await anyio.sleep_forever()
        raise AssertionError

    number = submit("job").number
    async with running(JobRunner(ledger, audio, work, max_running=1, now=clock)):
        await has_started.wait()

    assert state_of(ledger) is JobState.QUEUED
    chunks: list[dict[str, bytes]] = []

    async def go_on(job: RunningJob) -> Outcome:
        chunks.append(job.chunks)
        assert audio.fetch(job.job.spec.audio, 4).read_bytes() == b"RIFF"
        return DONE

    async with running(JobRunner(ledger, audio, go_on, max_running=1, now=clock)):
        await poll_until(lambda: state_of(ledger) is JobState.DONE)
    assert chunks == [{"0": b"zero"}]
    assert ledger.chunks(number) == {}


async def test_progress_is_stored_with_each_renewal(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    async def work(job: RunningJob) -> Outcome:
        job.progress, job.text = 0.5, "so far"
        await anyio.sleep_forever()
        raise AssertionError

    def is_visible() -> bool:
        job = ledger.find(KEY, "job")
        return job is not None and (job.progress, job.text) == (0.5, "so far")

    submit("job")
    runner = JobRunner(ledger, audio, work, max_running=1, now=clock, renew_s=0.01)
    async with running(runner):
        await poll_until(is_visible)


async def test_a_job_taken_over_by_another_gateway_is_stopped(
    database: Database,
    ledger: Ledger,
    audio: AudioDirectory,
    clock: Clock,
    submit: Callable[[str], Job],
) -> None:
    has_started, was_stopped, may_renew = anyio.Event(), anyio.Event(), anyio.Event()

    async def work(job: RunningJob) -> Outcome:
        has_started.set()
        try:
            await may_renew.wait()
            await job.store_chunk("0", b"late")
        finally:
            was_stopped.set()
        return DONE

    number = submit("job").number
    runner = JobRunner(ledger, audio, work, max_running=1, now=clock)
    async with running(runner):
        await has_started.wait()
        other = Ledger(database, "gateway-2", POISONED)
        clock.now += 3600
        taken = other.lease(clock())
        assert taken is not None
        may_renew.set()
        await was_stopped.wait()
        await poll_until(lambda: len(runner) == 0)
        assert other.chunks(number) == {}
        assert other.finish(claim_of(taken), DONE, clock()).state is JobState.DONE


async def test_a_cancelled_job_is_stopped_at_once(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    has_started = anyio.Event()

    async def work(_: RunningJob) -> Outcome:
        has_started.set()
        await anyio.sleep_forever()
        raise AssertionError

    number = submit("job").number
    runner = JobRunner(ledger, audio, work, max_running=1, now=clock)
    async with running(runner):
        await has_started.wait()
        ledger.cancel(KEY, "job", 60, clock())
        runner.stop(number)
        await poll_until(lambda: len(runner) == 0)
    assert state_of(ledger) is JobState.CANCELLED


async def test_a_job_cancelled_elsewhere_is_stopped_with_the_next_renewal(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    has_started = anyio.Event()

    async def work(_: RunningJob) -> Outcome:
        has_started.set()
        await anyio.sleep_forever()
        raise AssertionError

    submit("job")
    runner = JobRunner(ledger, audio, work, max_running=1, now=clock, renew_s=0.01)
    async with running(runner):
        await has_started.wait()
        ledger.cancel(KEY, "job", 60, clock())
        await poll_until(lambda: len(runner) == 0)
    assert state_of(ledger) is JobState.CANCELLED


async def test_a_clock_set_forward_an_hour_does_not_start_a_job_twice(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    starts, go_on = 0, anyio.Event()

    async def work(_: RunningJob) -> Outcome:
        nonlocal starts
        starts += 1
        await go_on.wait()
        return DONE

    submit("job")
    async with running(JobRunner(ledger, audio, work, max_running=2, now=clock)):
        await poll_until(lambda: starts == 1)
        clock.now += 3600
        submit("another")
        await poll_until(lambda: starts == 2)
        go_on.set()
        await poll_until(lambda: state_of(ledger) is JobState.DONE)
        await poll_until(lambda: state_of(ledger, "another") is JobState.DONE)
    assert starts == 2


async def test_a_job_whose_audio_cannot_be_read_is_queued_again_and_has_lost_nothing(
    ledger: Ledger, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    is_away = True

    async def work(_: RunningJob) -> Outcome:
        if is_away:
            raise LedgerUnavailable("away", 1)
        return DONE

    def is_put_back() -> bool:
        job = ledger.find(KEY, "job")
        assert job is not None
        return job.state is JobState.QUEUED and job.ready_at == clock.now + POSTPONED_RETRY_S

    submit("job")
    async with running(JobRunner(ledger, audio, work, max_running=1, now=clock)):
        await poll_until(is_put_back)
        clock.now += POSTPONED_RETRY_S
        await poll_until(is_put_back)
        job = ledger.find(KEY, "job")
        assert job is not None
        assert job.losses == 0
        is_away = False
        clock.now += POSTPONED_RETRY_S
        await poll_until(lambda: state_of(ledger) is JobState.DONE)


class SlowDeletions(AudioDirectory):
    """A directory that deletes nothing until it may."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.may_delete = threading.Event()
        self.waiting = 0

    def delete(self, name: str) -> None:
        """Delete a file, later."""
        self.waiting += 1
        self.may_delete.wait()
        super().delete(name)


async def test_leases_are_renewed_while_the_store_of_audio_is_slow(
    ledger: Ledger, clock: Clock, submit: Callable[[str], Job], tmp_path: Path
) -> None:
    audio = SlowDeletions(tmp_path / "audio")

    async def work(job: RunningJob) -> Outcome:
        if job.job.spec.job_id == "long":
            await anyio.sleep_forever()
        return DONE

    def lease_until() -> float:
        job = ledger.find(KEY, "long")
        assert job is not None
        return job.lease_until

    submit("long")
    for index in range(MAX_THREADS):
        submit(str(index))
    runner = JobRunner(ledger, audio, work, max_running=MAX_THREADS + 1, now=clock, renew_s=0.01)
    try:
        async with running(runner):
            await poll_until(lambda: audio.waiting == MAX_THREADS)
            clock.now += 5
            await poll_until(lambda: lease_until() == clock.now + LEASE_S)
            audio.may_delete.set()
    finally:
        audio.may_delete.set()


async def test_work_done_while_the_database_is_away_is_stored_afterwards(
    database: Database, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    away = DatabaseAway(database)
    ledger = Ledger(away, "gateway-1", POISONED)
    runs = 0

    async def work(job: RunningJob) -> Outcome:
        nonlocal runs
        runs += 1
        away.is_away = True
        await job.store_chunk("0", b"zero")
        return DONE

    submit("job")
    async with running(JobRunner(ledger, audio, work, max_running=1, now=clock)):
        await poll_until(lambda: away.refusals >= 2)
        away.is_away = False
        await poll_until(lambda: state_of(ledger) is JobState.DONE)
    assert runs == 1


@pytest.mark.parametrize("error", [LedgerFailed("damaged", 60), RuntimeError("a bug")])
async def test_a_runner_outlives_a_database_that_fails(
    database: Database,
    audio: AudioDirectory,
    clock: Clock,
    submit: Callable[[str], Job],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    monkeypatch.setattr("auricle.ledger.jobs.runner.FAILED_RETRY_S", 0.01)
    away = DatabaseAway(database, error)
    away.is_away = True
    ledger = Ledger(away, "gateway-1", POISONED)
    submit("job")
    async with running(JobRunner(ledger, audio, finish, max_running=1, now=clock)):
        await poll_until(lambda: away.refusals >= 2)
        away.is_away = False
        await poll_until(lambda: state_of(ledger) is JobState.DONE)


async def test_a_job_whose_end_cannot_be_stored_is_leased_again_later(
    database: Database, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    away = DatabaseAway(database, RuntimeError("a bug"))
    ledger = Ledger(away, "gateway-1", POISONED)
    runs = 0

    async def work(_: RunningJob) -> Outcome:
        nonlocal runs
        runs += 1
        away.is_away = runs == 1
        return DONE

    submit("job")
    runner = JobRunner(ledger, audio, work, max_running=1, now=clock)
    async with running(runner):
        await poll_until(lambda: runs == 1 and not runner)
        away.is_away = False
        assert state_of(ledger) is JobState.RUNNING
        clock.now += 3600
    async with running(JobRunner(ledger, audio, work, max_running=1, now=clock)):
        await poll_until(lambda: state_of(ledger) is JobState.DONE)
    assert runs == 2


async def test_of_two_runners_each_job_is_done_by_one(
    database: Database, audio: AudioDirectory, clock: Clock, submit: Callable[[str], Job]
) -> None:
    done: list[tuple[str, int]] = []

    async def work(name: str, job: RunningJob) -> Outcome:
        done.append((name, job.job.number))
        await anyio.lowlevel.checkpoint()
        return DONE

    for index in range(20):
        submit(str(index))
    ledgers = [Ledger(database, name, POISONED) for name in ("gateway-1", "gateway-2")]
    works: list[Work] = [functools.partial(work, name) for name in ("gateway-1", "gateway-2")]
    runners = [
        JobRunner(ledger, audio, work, max_running=2, now=clock)
        for ledger, work in zip(ledgers, works, strict=True)
    ]
    async with running(runners[0]), running(runners[1]):
        await poll_until(
            lambda: all(state_of(ledgers[0], str(n)) is JobState.DONE for n in range(20))
        )
    assert len(done) == len({number for _, number in done}) == 20
