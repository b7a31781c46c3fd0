"""A replica without Ray around it: what Serve calls, on a real pool."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from auricle.cluster.recogniser.health import Health
from auricle.cluster.recogniser.replica import RecogniserReplica, cores_of
from auricle.cluster.recogniser.scaling import ONGOING_AUDIO
from auricle.cluster.wire.messages import AnswerReader, Beat, Done, pack_job
from auricle.config.settings import Settings
from auricle.engines.placement import prepare
from auricle.values.errors import SetupError, WorkerError
from auricle.values.transcriber import Stats
from auricle.values.types import Job, JobId, Options
from tests.support.command import ROOT
from tests.support.poll import LIMIT_S, poll_until
from tests.support.pool import SCRIPTED
from tests.support.scripted_engine import answer

pytestmark = pytest.mark.process


@asynccontextmanager
async def recogniser(folder: Path, **settings: object) -> AsyncIterator[RecogniserReplica]:
    given: dict[str, object] = {
        "engine": SCRIPTED,
        "workers": 1,
        "batch_jobs": 1,
        "drain_s": 300.0,
        "job_timeout_min_s": 300.0,
        "sandbox_folders": str(folder),
        "log_level": "error",
    }
    it = RecogniserReplica(Settings.load(given | settings))
    try:
        yield it
    finally:
        await it.aclose()


def job(script: str | None = None) -> Job:
    pcm = np.arange(8000, dtype=np.int16)
    return Job(JobId("j"), pcm, options=Options(initial_prompt=script))


def body(asked: Job) -> bytes:
    return pack_job(asked, asked.max_wait_s)


async def frames(it: RecogniserReplica, asked: Job) -> list[object]:
    reader = AnswerReader()
    found: list[object] = []
    async for chunk in it.transcribe(body(asked)):
        reader.receive_data(chunk)
        found.append(reader.next_frame())
    return found


async def until(it: RecogniserReplica, condition: Callable[[Stats], bool]) -> None:
    """Return once the report fulfils the condition."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            if condition(await it.report()):
                return
            await asyncio.sleep(0)


async def sick(it: RecogniserReplica) -> None:
    """Check its health until that raises."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            await it.check_health()
            await asyncio.sleep(0)


async def test_it_is_well_once_a_worker_is_ready_and_answers_jobs(tmp_path: Path) -> None:
    async with recogniser(tmp_path) as it:
        assert await it.report() == Stats()
        await it.check_health()
        assert (await it.report()).ready
        asked = job()
        *beats, done = await frames(it, asked)
        assert isinstance(done, Done)
        assert done.transcript.text == answer(asked.pcm)
        assert beats
        assert all(isinstance(beat, Beat) for beat in beats)
        assert (await it.report()).jobs.done == 1


async def test_a_job_that_comes_while_it_starts_waits(tmp_path: Path) -> None:
    async with recogniser(tmp_path) as it:
        assert isinstance((await frames(it, job()))[-1], Done)


async def test_it_reports_to_serve_how_much_audio_waits_and_runs(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    async with recogniser(tmp_path) as it:
        await it.check_health()
        assert await it.record_autoscaling_stats() == {ONGOING_AUDIO: 0.0}
        held = [asyncio.ensure_future(frames(it, job(f"scripted:hold:{gate}"))) for _ in range(3)]
        await until(it, lambda stats: stats.queue.waiting_jobs + stats.queue.running_jobs == 3)
        assert await it.record_autoscaling_stats() == {ONGOING_AUDIO: 1.5}
        gate.unlink()
        assert all(isinstance(heard[-1], Done) for heard in await asyncio.gather(*held))


async def test_an_answer_without_a_reader_cancels_its_job(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    async with recogniser(tmp_path) as it:
        await it.check_health()
        running = asyncio.ensure_future(frames(it, job(f"scripted:hold:{gate}")))
        await until(it, lambda stats: stats.queue.running_jobs == 1)
        waiting = it.transcribe(body(job()))
        await anext(waiting)
        await until(it, lambda stats: stats.queue.waiting_jobs == 1)
        await waiting.aclose()
        assert (await it.report()).queue.waiting_jobs == 0
        gate.unlink()
        assert isinstance((await running)[-1], Done)


async def test_at_its_end_it_finishes_what_it_has_and_stops_its_workers(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    async with recogniser(tmp_path) as it:
        await it.check_health()
        held = asyncio.ensure_future(frames(it, job(f"scripted:hold:{gate}")))
        await until(it, lambda stats: stats.queue.running_jobs == 1)
        pids = [worker.pid for worker in (await it.report()).workers]
        ending = asyncio.ensure_future(it.aclose())
        await asyncio.sleep(0)
        gate.unlink()
        await ending
        assert isinstance((await held)[-1], Done)
    assert not any(pid is not None and psutil.pid_exists(pid) for pid in pids)


async def test_its_end_while_it_starts_leaves_no_worker(tmp_path: Path) -> None:
    children = psutil.Process().children
    async with recogniser(tmp_path):
        await poll_until(lambda: bool(children()), "a worker that starts")
    await poll_until(lambda: not children(), "its end")


async def test_a_missing_model_is_reported_by_serve(tmp_path: Path) -> None:
    async with recogniser(tmp_path, engine="whisper", model="no-such-model") as it:
        with pytest.raises(SetupError, match="no-such-model"):
            await it.check_health()


async def test_an_engine_that_does_not_load_is_reported_and_leaves_no_worker(
    tmp_path: Path,
) -> None:
    async with recogniser(tmp_path, engine="no.such") as it:
        with pytest.raises(SetupError):
            await it.check_health()
        assert not psutil.Process().children()


FRAGILE = """
import os, time
from tests.support.scripted_engine import SPEC, load as scripted

def load(settings):
    while os.path.exists(os.environ["AURICLE_TEST_STUCK"]):
        time.sleep(1)
    return scripted(settings)
"""


async def test_it_is_unhealthy_when_no_worker_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fragile.py").write_text(FRAGILE)
    stuck = tmp_path / "stuck"
    monkeypatch.syspath_prepend(tmp_path)  # the server imports the engine's spec
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.setenv("AURICLE_TEST_STUCK", str(stuck))
    budgets: list[float] = []

    def health(start_budget_s: float) -> Health:
        budgets.append(start_budget_s)
        return Health(1.0)  # the first start may take longer

    monkeypatch.setattr("auricle.cluster.recogniser.replica.Health", health)
    async with recogniser(tmp_path, engine="fragile", start_budget_s=100) as it:
        assert budgets == [100]
        await it.check_health()
        stuck.touch()
        [worker] = (await it.report()).workers
        assert worker.pid is not None
        psutil.Process(worker.pid).kill()
        with pytest.raises(WorkerError, match="no worker was ready"):
            await sick(it)


@pytest.mark.parametrize(("cpus", "workers"), [(0.5, 2), (1.0, 2), (2.0, 2), (4.0, 4)])
def test_it_has_as_many_workers_as_cpus_but_two_at_the_least(
    tmp_path: Path, cpus: float, workers: int
) -> None:
    settings = Settings.load({"engine": SCRIPTED, "replica_cpus": cpus})
    found = prepare(settings, cores=cores_of(settings))
    assert (found.worker.workers, found.worker.worker_threads) == (workers, 1)


def test_a_number_of_workers_that_is_set_is_kept(tmp_path: Path) -> None:
    settings = Settings.load({"engine": SCRIPTED, "replica_cpus": 8, "workers": 3})
    found = prepare(settings, cores=cores_of(settings))
    assert found.worker.workers == 3
