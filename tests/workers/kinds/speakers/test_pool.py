"""Embeddings by the real model in real worker processes, and the deaths of these."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import SetupError, SpeakersUnavailable, WorkerError
from auricle.values.types import ClientId, EmbedJob, JobId
from auricle.workers.kinds.speakers.messages import EmbedStretches, StretchesEmbedded
from auricle.workers.kinds.speakers.model_file import MAX_DIMENSIONS
from auricle.workers.kinds.speakers.pool import SpeakerPool
from auricle.workers.kinds.speakers.schedule import read_vectors
from auricle.workers.kinds.speakers.settings import SpeakerSettings
from auricle.workers.process.assignment import Assignment
from auricle.workers.process.process import ProcessExit
from tests.support.clips import CLIPS
from tests.support.onnx_writer import FLOAT, graph, node, onnx_file
from tests.support.service import poll_until

pytestmark = [pytest.mark.process, pytest.mark.anyio]

LIMIT_S = 150.0
PCM = np.tile(CLIPS["fellow.wav"].pcm, 2)
LONG = tuple((at, at + 24_000) for at in range(0, PCM.size - 24_000, 12_000))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def opened(
    model: Path | None = None, workers: int = 1, **settings: float
) -> AsyncIterator[SpeakerPool]:
    fast = {"job_timeout_min_s": 60.0, "backoff_first_s": 0.05} | settings
    pool = SpeakerPool(
        WorkerSettings.model_validate(fast),
        SpeakerSettings(speaker_workers=workers, speaker_model=model),
        QueueSettings(poison_attempts=2),
    )
    await pool.start()
    try:
        yield pool
    finally:
        await pool.aclose()


def job(
    stretches: tuple[tuple[int, int], ...] = LONG,
    *,
    live: bool = False,
    max_wait_s: float = LIMIT_S,
) -> EmbedJob:
    return EmbedJob(JobId("j"), PCM, stretches, max_wait_s=max_wait_s, is_live=live)


def pid(pool: SpeakerPool) -> int:
    (worker,) = pool.stats().workers
    assert worker.pid is not None
    return worker.pid


def employed(pool: SpeakerPool, patch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return an event that is set once a worker gets work."""
    is_employed = asyncio.Event()
    next_assignment = pool.next_assignment

    def telling(worker: str, now: float) -> Assignment | None:
        if (assignment := next_assignment(worker, now)) is not None:
            is_employed.set()
        return assignment

    patch.setattr(pool, "next_assignment", telling)
    return is_employed


def kill_at_work(pool: SpeakerPool, patch: pytest.MonkeyPatch, deaths: int) -> list[int]:
    """Kill this number of workers, each when it gets work, before it can answer; return which."""
    killed: list[int] = []
    next_assignment = pool.next_assignment

    def deadly(worker: str, now: float) -> Assignment | None:
        assignment = next_assignment(worker, now)
        if assignment is not None and len(killed) < deaths:
            killed.append(pid(pool))
            os.kill(pid(pool), signal.SIGKILL)
        return assignment

    patch.setattr(pool, "next_assignment", deadly)
    return killed


async def test_the_first_job_starts_the_worker() -> None:
    async with opened() as pool:
        assert (pool.stats().workers, pool.stats().ready) == ((), True)
        result = await pool.embed(job())
        assert result.stretches == LONG
        assert result.vectors.shape == (len(LONG), 192)
        assert (result.vectors @ result.vectors.T).min() > 0.3  # one voice
        process = pid(pool)
        assert (pool.stats().jobs.done, pool.stats().model) == (1, "campplus")
    assert not psutil.pid_exists(process)
    with pytest.raises(SpeakersUnavailable):
        await pool.embed(job())


async def test_it_is_prepared_before_the_first_job() -> None:
    async with opened() as pool:
        pool.prepare()
        await poll_until(lambda: [worker.pid for worker in pool.stats().workers])
        assert pool.stats().jobs.done == 0


async def test_live_speech_does_not_wait_for_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as pool:
        is_employed = employed(pool, monkeypatch)
        ended: list[str] = []

        async def embed(name: str, request: EmbedJob) -> None:
            await pool.embed(request)
            ended.append(name)

        file = asyncio.create_task(embed("file", job()))
        await is_employed.wait()
        await embed("live", job(LONG[:1], live=True))
        await file
        assert ended == ["live", "file"]


async def test_a_killed_worker_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as pool:
        peace = await pool.embed(job())
        kill_at_work(pool, monkeypatch, 1)
        war = await pool.embed(job())
        assert np.array_equal(peace.vectors, war.vectors)
        assert pool.stats().jobs.retried == 1


async def test_a_job_whose_workers_die_again_and_again_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with opened() as pool:
        killed = kill_at_work(pool, monkeypatch, 2)
        with pytest.raises(SpeakersUnavailable, match="died"):
            await pool.embed(job())
        assert len(set(killed)) == 2
        other = EmbedJob(JobId("j"), PCM[1:], LONG[:1])
        assert (await pool.embed(other)).stretches == LONG[:1]


async def crashed(pool: SpeakerPool, request: EmbedJob, *frames: str | None) -> str:
    """Return why a job failed whose workers crash in these frames; no process is started."""
    result = asyncio.create_task(pool.embed(request))
    await asyncio.sleep(0)
    for frame in frames:
        if pool.next_assignment("w", 0.0) is not None:
            exit = ProcessExit("SIGSEGV", None, () if frame is None else (frame,))
            pool.died("w", exit, "exited", 0.0)
    with pytest.raises(SpeakersUnavailable) as failed:
        await result
    return str(failed.value)


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all requests come at the moment 0."""
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr("auricle.workers.pool.time", clock)


def not_started() -> SpeakerPool:
    return SpeakerPool(WorkerSettings(), SpeakerSettings(), QueueSettings(max_crashes_per_key=2))


@pytest.mark.usefixtures("standing_clock")
async def test_audio_that_crashes_workers_in_one_place_is_rejected_afterwards() -> None:
    pool = not_started()
    assert "died repeatedly" in await crashed(pool, job(LONG[:1]), "a.py:1 f", "a.py:1 f")
    assert "before" in await crashed(pool, job(LONG[:1]), "a.py:1 f")


@pytest.mark.usefixtures("standing_clock")
@pytest.mark.parametrize("frames", [(None, None, None), ("a.py:1 f", "b.py:1 g", None)])
async def test_a_step_is_repeated_after_other_deaths(frames: tuple[str | None, ...]) -> None:
    pool = not_started()
    result = asyncio.create_task(pool.embed(job(LONG[:1])))
    await asyncio.sleep(0)
    for frame in frames:
        assert pool.next_assignment("w", 0.0) is not None
        exit = ProcessExit("SIGKILL", None, () if frame is None else (frame,))
        pool.died("w", exit, "exited", 0.0)
    assignment = pool.next_assignment("w", 0.0)
    assert assignment is not None
    assert isinstance(assignment.work, EmbedStretches)
    vector = np.eye(1, 192, dtype="<f4").tobytes()
    pool.received("w", StretchesEmbedded(vector), 0.0)
    assert (await result).stretches == LONG[:1]


@pytest.mark.usefixtures("standing_clock")
async def test_a_client_that_crashes_workers_gets_no_speakers() -> None:
    pool = not_started()
    for start in (0, 1, 2):
        request = EmbedJob(JobId("j"), PCM[start:], LONG[:1], ClientId("mallory"))
        reason = await crashed(pool, request, "a.py:1 f", "a.py:1 f")
        assert ("too many" in reason) == (start == 2)
    other = EmbedJob(JobId("j"), PCM[3:], LONG[:1], ClientId("anna"))
    assert "died repeatedly" in await crashed(pool, other, "a.py:1 f", "a.py:1 f")


async def test_a_hung_worker_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as pool:
        await pool.embed(job(LONG[:1]))
        os.kill(pid(pool), signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr(pool._jobs, "_budget_s", 1.0)  # too short for others on a busy machine
            is_employed = employed(pool, patch)
            hung = asyncio.create_task(pool.embed(job(LONG[:1])))
            await is_employed.wait()
        assert (await hung).stretches == LONG[:1]
        assert pool.stats().workers[0].restarts == 1


async def test_a_deadline_ends_a_job_that_hangs() -> None:
    async with opened() as pool:
        await pool.embed(job(LONG[:1]))
        os.kill(pid(pool), signal.SIGSTOP)
        with pytest.raises(SpeakersUnavailable, match="deadline"):
            await pool.embed(job(max_wait_s=1.0))


async def test_a_caller_that_leaves_cancels_its_job(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as pool:
        is_employed = employed(pool, monkeypatch)
        first = asyncio.create_task(pool.embed(job()))
        await is_employed.wait()
        first.cancel()
        await asyncio.wait([first])
        assert (await pool.embed(job(LONG[:1]))).stretches == LONG[:1]
        assert pool.stats().jobs.done == 1


async def test_silence_needs_no_worker() -> None:
    async with opened() as pool:
        silence = EmbedJob(JobId("j"), np.zeros(32_000, np.int16), ((0, 32_000),))
        assert (await pool.embed(silence)).stretches == ()
        assert pool.stats().workers == ()


async def test_a_model_that_fails_to_load_does_not_keep_callers_waiting(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    nodes = [node("NoSuchOperator", ["x"], ["y"])]
    content = graph(nodes, {"x": (FLOAT, ["b", "t", 80])}, {"y": (FLOAT, ["b", "d"])}, {})
    path.write_bytes(onnx_file(content))
    async with opened(path) as pool:
        with pytest.raises(SpeakersUnavailable, match="cannot start"):
            await pool.embed(job())
        assert not pool.stats().ready
        with pytest.raises(SpeakersUnavailable, match="cannot start"):
            await pool.embed(job())


async def test_another_file_is_rejected_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="missing"):
        async with opened(tmp_path / "missing.onnx"):
            pass


@pytest.mark.parametrize(
    ("vectors", "count"),
    [
        (np.ones((2, 4)) / 2, 3),
        (np.ones((2, 4)), 2),
        (np.full((2, 4), np.nan), 2),
        (np.zeros((2, 4)), 2),
        (np.zeros((2, 0)), 2),
        (np.eye(1, MAX_DIMENSIONS + 1), 1),
    ],
)
def test_answers_of_a_broken_worker_are_rejected(vectors: np.ndarray, count: int) -> None:
    with pytest.raises(WorkerError):
        read_vectors(vectors.astype("<f4").tobytes(), count)
