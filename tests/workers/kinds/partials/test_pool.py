"""Partials in real worker processes with scripted streams, and their faults."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.placement import Placement
from auricle.engines.registry import find_engine
from auricle.values.errors import AudioError, NoWorkerReady, PoisonJob, Superseded
from auricle.values.types import Job, JobId, JobKind, Options, Pcm16
from auricle.workers.kinds.partials.pool import PartialPool
from tests.support.poll import poll_until
from tests.support.scripted_engine import answer

pytestmark = [pytest.mark.process, pytest.mark.anyio]

STREAMS = "tests.support.scripted_streams"
ROOT = Path(__file__).parents[4]
SPEECH = np.arange(32000).astype(np.int16)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _workers_find_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


@asynccontextmanager
async def opened(model: str = "scripted", **settings: float) -> AsyncIterator[PartialPool]:
    worker = {"workers": 1, "worker_threads": 1, "job_timeout_min_s": 60.0, "backoff_first_s": 0.05}
    chosen = ModelSettings(engine=STREAMS, model=model)
    spec = find_engine(STREAMS)
    pool = PartialPool(
        Placement(
            WorkerSettings.model_validate(worker | settings), chosen, spec, spec.models.find(chosen)
        )
    )
    await pool.start()
    try:
        yield pool
    finally:
        await pool.aclose()


async def until_ready(pool: PartialPool) -> None:
    await poll_until(lambda: pool.is_ready, "a ready worker")


def job(samples: int, utterance: str = "u", pcm: Pcm16 = SPEECH, prompt: str | None = None) -> Job:
    id = JobId(f"{utterance}:{samples}")
    options = Options(language="en", initial_prompt=prompt, is_partial=True)
    return Job(id, pcm[:samples], options, JobKind.PARTIAL, utterance=utterance)


def pid(pool: PartialPool) -> int:
    (worker,) = pool.stats().workers
    assert worker.pid is not None
    return worker.pid


async def test_each_partial_covers_the_utterance_so_far() -> None:
    async with opened() as pool:
        await until_ready(pool)
        for samples in (8000, 16000, 32000):
            result = await pool.transcribe(job(samples))
            assert result.text == answer(SPEECH[:samples])
            assert result.duration_samples == samples
        assert pool.stats().jobs.done == 3


async def test_streams_do_not_mix() -> None:
    async with opened(batch_jobs=8) as pool:
        await until_ready(pool)
        for samples in (4000, 8000, 12000):
            jobs = [job(samples + i, f"u{i}", SPEECH + i) for i in range(6)]
            results = await asyncio.gather(*map(pool.transcribe, jobs))
            texts = [answer((SPEECH + i)[: samples + i]) for i in range(6)]
            assert [result.text for result in results] == texts


async def test_a_killed_worker_costs_no_more_than_a_partial() -> None:
    async with opened() as pool:
        await until_ready(pool)
        await pool.transcribe(job(8000))
        os.kill(pid(pool), signal.SIGKILL)
        with contextlib.suppress(NoWorkerReady, Superseded):
            await pool.transcribe(job(12000))
        await poll_until(lambda: pool.stats().workers[0].restarts == 1, "a restart")
        await until_ready(pool)
        assert (await pool.transcribe(job(16000))).text == answer(SPEECH[:16000])


async def test_a_hung_worker_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as pool:
        await until_ready(pool)
        await pool.transcribe(job(8000))
        os.kill(pid(pool), signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr(pool._jobs, "_budget_s", 1.0)  # too short for others on a busy machine
            with pytest.raises(Superseded):
                await pool.transcribe(job(12000))
        await until_ready(pool)
        assert (await pool.transcribe(job(16000))).text == answer(SPEECH[:16000])


async def test_a_worker_that_grows_is_killed(tmp_path: Path) -> None:
    marker = tmp_path / "once"
    marker.touch()
    async with opened(worker_hard_mb=400) as pool:
        await until_ready(pool)
        with pytest.raises(Superseded):
            await pool.transcribe(job(8000, prompt=f"scripted:eat-memory-once:{marker}"))
        await until_ready(pool)
        assert (await pool.transcribe(job(16000))).text == answer(SPEECH[:16000])


async def test_an_utterance_that_kills_workers_gets_no_more_partials() -> None:
    async with opened() as pool:
        errors: list[type[Exception]] = []
        for samples in (8000, 9000, 10000):
            await until_ready(pool)
            try:
                await pool.transcribe(job(samples, prompt="scripted:segfault"))
            except (PoisonJob, Superseded) as error:
                errors.append(type(error))
        assert errors == [Superseded, PoisonJob, PoisonJob]
        await until_ready(pool)
        assert (await pool.transcribe(job(8000, "v"))).text == answer(SPEECH[:8000])


async def test_invalid_audio_is_an_error_of_its_job() -> None:
    async with opened() as pool:
        await until_ready(pool)
        with pytest.raises(AudioError):
            await pool.transcribe(job(8000, prompt="scripted:audio-error"))


async def test_a_wrong_answer_ends_the_worker() -> None:
    async with opened() as pool:
        await until_ready(pool)
        with pytest.raises(Superseded):
            await pool.transcribe(job(8000, prompt="scripted:wrong-count"))


async def test_without_a_ready_worker_there_are_no_partials() -> None:
    async with opened(model="scripted:setup-error") as pool:
        with pytest.raises(NoWorkerReady):
            await pool.transcribe(job(8000))


async def test_closing_answers_the_waiting_and_leaves_no_process() -> None:
    async with opened() as pool:
        await until_ready(pool)
        child = psutil.Process(pid(pool))
        waiting = asyncio.create_task(pool.transcribe(job(8000, prompt="scripted:hang")))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
    with pytest.raises(Exception, match="shutting down"):
        await waiting
    assert not child.is_running()


async def test_a_cancelled_partial_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auricle.workers.kinds.partials.pool.STALLED_S", 120.0)
    hold = tmp_path / "hold"
    hold.touch()
    async with opened() as pool:
        await until_ready(pool)
        held = asyncio.create_task(pool.transcribe(job(8000, prompt=f"scripted:hold:{hold}")))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        held.cancel()
        hold.unlink()
        assert (await pool.transcribe(job(16000, "v"))).text == answer(SPEECH[:16000])
