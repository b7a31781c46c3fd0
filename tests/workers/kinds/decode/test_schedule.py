"""Which file is next, and which is given up; no process is started."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace

import pytest

from auricle.config.sections.decode import DecodeSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import (
    AudioError,
    Overloaded,
    PoisonJob,
    RateLimited,
    WorkerError,
)
from auricle.values.transcriber import Progress
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ, ClientId, Source
from auricle.workers.kinds.decode.messages import DecodeStep, StepDone, StepFailed
from auricle.workers.kinds.decode.pool import DecodePool
from auricle.workers.kinds.decode.schedule import HUNG_PATIENCE_S, SLOW_S, lie_within
from auricle.workers.poison import CrashBudget
from auricle.workers.process.process import ProcessExit
from tests.support.poll import poll_until

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all requests come at the moment 0."""
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr("auricle.workers.pool.time", clock)
    monkeypatch.setattr("auricle.workers.kinds.decode.pool.time", clock)


def source(name: str) -> Source:
    """Return a file that is never read, in the test's folder."""
    Path(name).write_bytes(b"x")
    return Source(name)


async def first_of(
    pool: DecodePool, name: str, client: ClientId = ANONYMOUS
) -> "asyncio.Task[Progress]":
    """Request a file, and return its first progress; the test plays the worker."""
    return await next_of(pool, pool.decode(source(name), client=client))


async def next_of(pool: DecodePool, reading: AsyncGenerator[Progress]) -> "asyncio.Task[Progress]":
    """Request a file's next progress."""
    waiting = pool.stats().queue.waiting_jobs
    asked = asyncio.create_task(anext(reading))
    await poll_until(lambda: pool.stats().queue.waiting_jobs == waiting + 1)
    return asked


def given(pool: DecodePool, worker: str, now: float) -> DecodeStep:
    assignment = pool.next_assignment(worker, now)
    assert assignment is not None
    step = assignment.work
    assert isinstance(step, DecodeStep)
    return step


def name_of(pool: DecodePool, step: DecodeStep) -> str:
    (stream,) = [stream for stream in pool._schedule._files if stream.id == step.stream]
    return stream.source.path


def done(step: DecodeStep, decoded_s: float) -> StepDone:
    return StepDone(0.1, int(decoded_s * SAMPLE_RATE_HZ), 0, 0, b"", done=False)


@pytest.mark.parametrize(("samples", "is_valid"), [(48_000, True), (48_001, False)])
async def test_a_chunk_is_not_longer_than_a_job_of_the_engine(samples: int, is_valid: bool) -> None:
    pool = DecodePool(WorkerSettings(), DecodeSettings(), max_chunk_samples=48_000)
    reading = await first_of(pool, "speech")
    given(pool, "one", 10.0)
    message = StepDone(0.5, samples, samples, 0, b"\0" * (2 * samples), done=False)
    with contextlib.nullcontext() if is_valid else pytest.raises(WorkerError):
        pool.received("one", message, 10.1)
    reading.cancel()


@pytest.mark.parametrize(("decoded_s", "took_s"), [(0.0, SLOW_S + 1), (100.0, SLOW_S + 101)])
async def test_a_file_that_takes_far_longer_than_it_lasts_is_refused(
    decoded_s: float, took_s: float
) -> None:
    pool = DecodePool(WorkerSettings(), DecodeSettings())
    slow = await first_of(pool, "slow")
    step = given(pool, "one", 10.0)
    pool.received("one", done(step, decoded_s), 10.0 + took_s)
    with pytest.raises(AudioError, match="too long"):
        await slow
    well = await first_of(pool, "well")
    step = given(pool, "one", 500.0)
    pool.received("one", done(step, decoded_s), 500.0 + took_s - 2)
    assert (await well).duration_samples == decoded_s * SAMPLE_RATE_HZ


async def test_the_file_with_the_least_work_done_continues_first() -> None:
    pool = DecodePool(WorkerSettings(), DecodeSettings())
    reading = pool.decode(source("slow"))
    slow = asyncio.create_task(anext(reading))
    await poll_until(lambda: pool.stats().queue.waiting_jobs == 1)
    pool.received("one", done(given(pool, "one", 0.0), 1.0), 30.0)
    await slow
    slow = asyncio.create_task(anext(reading))
    await poll_until(lambda: pool.stats().queue.waiting_jobs == 1)
    quick = await first_of(pool, "quick")
    step = given(pool, "one", 30.0)
    assert name_of(pool, step) == "quick"
    pool.received("one", done(step, 1.0), 31.0)
    await quick
    assert name_of(pool, given(pool, "one", 31.0)) == "slow"
    slow.cancel()
    await asyncio.wait([slow])


HANG = ProcessExit("SIGKILL", None, ("av/container.py:1 read",))
MALLORY, ALICE = ClientId("mallory"), ClientId("alice")


async def test_a_file_of_the_key_with_the_least_decoding_time_is_next() -> None:
    pool = DecodePool(WorkerSettings(), DecodeSettings())
    flood = [await first_of(pool, f"small{n}", MALLORY) for n in range(4)]
    for now in (0.0, 1.0):
        pool.received("one", done(given(pool, "one", now), 1.0), now + 1.0)
    reading = pool.decode(source("film"), client=ALICE)
    film = await next_of(pool, reading)
    for now in (2.0, 2.1):  # files without a step do not overtake it again
        step = given(pool, "one", now)
        assert name_of(pool, step) == "film"
        pool.received("one", done(step, 1.0), now + 0.1)
        await film
        film = await next_of(pool, reading)
    for task in (film, *flood):
        task.cancel()
    await asyncio.wait([film, *flood])


@pytest.mark.parametrize("end", ["failed", "abandoned", "crashed"])
async def test_a_step_is_charged_to_its_key_however_it_ends(end: str) -> None:
    pool = DecodePool(WorkerSettings(), DecodeSettings())
    bad = await first_of(pool, "bad", MALLORY)
    given(pool, "one", 0.0)
    if end == "abandoned":
        bad.cancel()
        await asyncio.wait([bad])
    if end == "crashed":
        pool.died("one", HANG, "memory", 10.0)
    else:
        pool.received("one", StepFailed(AudioError.code, "no"), 10.0)
    later = [await first_of(pool, "more", MALLORY), await first_of(pool, "well", ALICE)]
    assert name_of(pool, given(pool, "two", 10.0)) == "well"
    for task in (bad, *later):
        task.cancel()
    await asyncio.wait([bad, *later])


async def test_a_file_moves_once_its_worker_is_busy_for_as_long_as_it_took_itself() -> None:
    pool = DecodePool(WorkerSettings(), DecodeSettings())
    reading = pool.decode(source("well"), client=ALICE)
    well = await next_of(pool, reading)
    pool.received("one", done(given(pool, "one", 0.0), 1.0), 2.0)
    await well
    slow = await first_of(pool, "slow", MALLORY)
    given(pool, "one", 2.0)
    well = await next_of(pool, reading)
    assert pool.next_assignment("two", 3.9) is None
    assert pool.poll(3.9) == 4.0
    assert name_of(pool, given(pool, "two", 4.0)) == "well"
    for task in (well, slow):
        task.cancel()
    await asyncio.wait([well, slow])


async def test_one_key_leaves_a_quarter_of_the_open_files_to_others() -> None:
    pool = DecodePool(WorkerSettings(), DecodeSettings(open_files=4))
    files = [await first_of(pool, f"file{n}", MALLORY) for n in range(3)]
    with pytest.raises(Overloaded):
        await anext(pool.decode(source("file4"), client=MALLORY))
    files.append(await first_of(pool, "well", ALICE))
    for task in files:
        task.cancel()
    await asyncio.wait(files)


async def test_a_file_that_hung_once_runs_again_only_when_no_other_waits() -> None:
    pool = DecodePool(WorkerSettings(decode_workers=1), DecodeSettings())
    slow = await first_of(pool, "hangs")
    given(pool, "one", 0.0)
    pool.died("one", HANG, "hung", 15.0)
    others = [await first_of(pool, f"other{n}") for n in range(2)]
    for now in (16.0, 17.0):
        step = given(pool, "one", now)
        assert name_of(pool, step) != "hangs"
        pool.received("one", done(step, 1.0), now + 0.1)
    assert name_of(pool, given(pool, "one", 18.0)) == "hangs"
    pool.died("one", HANG, "hung", 33.0)
    with pytest.raises(PoisonJob):
        await slow
    await asyncio.wait(others)


async def test_a_file_that_hung_once_does_not_wait_forever() -> None:
    pool = DecodePool(WorkerSettings(decode_workers=1), DecodeSettings())
    slow = await first_of(pool, "hangs")
    given(pool, "one", 0.0)
    pool.died("one", HANG, "hung", 15.0)
    busy = await first_of(pool, "other")
    assert pool.poll(16.0) == 15.0 + HUNG_PATIENCE_S
    assert not slow.done()
    pool.poll(15.0 + HUNG_PATIENCE_S)
    with pytest.raises(PoisonJob):
        await slow
    busy.cancel()
    await asyncio.wait([busy])


async def test_a_quarantine_is_charged_to_the_key_whose_file_it_was() -> None:
    budget = CrashBudget(max_poison_jobs=1, window_s=600)
    pool = DecodePool(WorkerSettings(decode_workers=1), DecodeSettings(), crash_budget=budget)
    asked = asyncio.create_task(anext(pool.decode(source("bad"), client=MALLORY)))
    await poll_until(lambda: pool.stats().queue.waiting_jobs == 1)
    for _ in range(2):
        given(pool, "one", 0.0)
        pool.died("one", HANG, "hung", 0.0)
    with pytest.raises(PoisonJob):
        await asked
    assert budget.exhausted_for_s(MALLORY, 0.0) > 0
    with pytest.raises(RateLimited):
        await anext(pool.decode(source("another"), client=MALLORY))
    other = asyncio.create_task(anext(pool.decode(source("well"), client=ALICE)))
    await poll_until(lambda: pool.stats().queue.waiting_jobs == 1)
    other.cancel()
    await asyncio.wait([other])


@pytest.mark.parametrize(
    ("spans", "is_possible"),
    [
        ((), True),
        (((100, 200), (300, 1100)), True),
        (((99, 200),), False),
        (((100, 1101),), False),
        (((200, 200),), False),
        (((300, 400), (200, 250)), False),
        (((100, 200), (150, 300)), False),
        (tuple((at, at + 1) for at in range(100, 1000, 2)), False),
    ],
)
def test_voiced_ranges_lie_inside_the_chunk_and_are_bounded(
    spans: tuple[tuple[int, int], ...], is_possible: bool
) -> None:
    assert lie_within(spans, 100, 1100) is is_possible
