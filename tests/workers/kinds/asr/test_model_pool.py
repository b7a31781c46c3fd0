"""One model whose workers are replaced while it serves, with processes."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from auricle.config.sections.model import ModelSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.models import ModelTable
from auricle.engines.placement import ModelPlan
from auricle.values.errors import DeadlineExceeded, Draining, ModelNotFound, SetupError
from auricle.values.transcriber import ModelState, ModelStats
from auricle.values.types import ANONYMOUS, JobKind, ReservationRequest
from auricle.workers.kinds.asr import model_pool as module
from auricle.workers.kinds.asr.model_pool import ModelPool
from tests.support.poll import poll_until
from tests.support.pool import SCRIPTED
from tests.support.scripted_engine import answer
from tests.support.worker_pool import START_LIMIT_S
from tests.workers.kinds.asr.pool.helpers import closed_gate, job

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[4]


@asynccontextmanager
async def model_pool(
    model: str, monkeypatch: pytest.MonkeyPatch, *, ready: bool = True, **settings: object
) -> AsyncIterator[ModelPool]:
    """Start a pool of the scripted engine; ``settings`` are of its workers."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    only = ModelTable.of(ModelSettings(engine=SCRIPTED, model=model)).default
    defaults = {"workers": 1, "job_timeout_min_s": 60.0}
    plan = ModelPlan(only, WorkerSettings.model_validate(defaults | settings))
    pool = ModelPool(plan, plan.place(), QueueSettings())
    await pool.start()
    try:
        if ready:
            await pool.wait_ready(START_LIMIT_S)
        yield pool
    finally:
        await pool.aclose()


def room(model: str = "") -> ReservationRequest:
    return ReservationRequest(ANONYMOUS, 15.0, standing=True, model=model)


def model_of(pool: ModelPool) -> ModelStats:
    (model,) = pool.stats().models
    return model


def pids_of(pool: ModelPool) -> list[int]:
    return [worker.pid for worker in pool.stats().workers if worker.pid is not None]


async def test_it_knows_one_model_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async with model_pool("scripted", monkeypatch) as pool:
        given = job("a")
        named = replace(given, options=replace(given.options, model="scripted"))
        assert (await pool.transcribe(named)).text == answer(given.pcm)
        other = replace(given, options=replace(given.options, model="other"))
        with pytest.raises(ModelNotFound, match="its models are: scripted"):
            await pool.transcribe(other)
        with pytest.raises(ModelNotFound, match="its models are: scripted"):
            pool.reserve(room("other"))


async def test_a_model_is_replaced_without_a_rejected_or_lost_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate = closed_gate(tmp_path)
    async with model_pool("scripted", monkeypatch, sandbox="off") as pool:
        session = pool.reserve(room())
        before = pids_of(pool)
        running = asyncio.create_task(pool.transcribe(job("long", script=f"hold:{gate}")))
        waiting = [asyncio.create_task(pool.transcribe(job(f"w{n}"))) for n in range(5)]
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        replacing = asyncio.create_task(pool.replace())
        await asyncio.sleep(0)
        gate.unlink()
        done = 0
        while not replacing.done():
            given = job(f"j{done}", reservation=session)
            assert (await pool.transcribe(given)).text == answer(given.pcm)
            done += 1
        await replacing
        assert (await running).text
        assert all([(await each).text for each in waiting])
        after = pids_of(pool)
        assert set(before).isdisjoint(after)
        await pool.transcribe(job("last", reservation=session))
        assert model_of(pool).jobs.done == done + 7
        assert pool.stats().queue.reserved_audio_s == 15.0
        pool.release(session)
        assert pool.stats().queue.reserved_audio_s == 0


async def test_jobs_that_a_replaced_pool_does_not_finish_in_time_run_in_the_new_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "REPLACED_DRAIN_S", 0.2)
    hold = tmp_path / "hold"
    hold.touch()
    settings: dict[str, Any] = {"sandbox": "off", "batch_jobs": 1}
    async with model_pool("scripted", monkeypatch, **settings) as pool:
        blocking = asyncio.create_task(pool.transcribe(job("held", script=f"hold:{hold}")))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        waiting = asyncio.create_task(pool.transcribe(job("waits")))
        late = asyncio.create_task(
            pool.transcribe(job("late", script=f"hold:{hold}", max_wait_s=1.0))
        )
        await asyncio.sleep(0)
        await pool.replace()
        hold.unlink()
        assert (await waiting).text
        assert (await blocking).text
        with contextlib.suppress(DeadlineExceeded):  # its deadline counts from the first pool
            await late


async def test_a_model_that_is_replaced_before_it_was_ready_is_ready(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    model = f"scripted:hold:{hold}"
    async with model_pool(model, monkeypatch, ready=False, sandbox="off") as pool:
        replacing = asyncio.create_task(pool.replace())
        await poll_until(lambda: len(pids_of(pool)) > 0)
        hold.unlink()
        await replacing
        await poll_until(lambda: model_of(pool).state is ModelState.READY)
        assert (await pool.transcribe(job("a"))).text


async def test_a_reload_replaces_the_workers_only_if_the_files_have_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "model.bin").write_bytes(b"1")
    async with model_pool(str(tmp_path), monkeypatch) as pool:
        before = pids_of(pool)
        await pool.reload()
        assert pids_of(pool) == before
        (tmp_path / "model.bin").write_bytes(b"22")
        await pool.reload()
        assert set(before).isdisjoint(pids_of(pool))
        assert (await pool.transcribe(job("a"))).text


async def test_a_model_that_cannot_be_loaded_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async with model_pool("scripted:setup-error", monkeypatch, ready=False) as pool:
        assert model_of(pool).state is ModelState.LOADING
        with pytest.raises(SetupError, match="no such model"):
            await pool.wait_ready(60.0)
        assert "no such model" in (model_of(pool).error or "")


async def test_a_closed_pool_finishes_its_jobs_and_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gate = closed_gate(tmp_path)
    async with model_pool("scripted", monkeypatch, sandbox="off") as pool:
        workers = [*map(psutil.Process, pids_of(pool))]
        accepted = asyncio.create_task(pool.transcribe(job("a", f"hold:{gate}", kind=JobKind.FILE)))
        await poll_until(lambda: pool.stats().queue.running_jobs == 1)
        closing = asyncio.create_task(pool.aclose(drain_s=120))
        await asyncio.sleep(0)
        gate.unlink()
        await closing
        assert (await accepted).text
        with pytest.raises(Draining):
            await pool.transcribe(job("b"))
        with pytest.raises(SetupError, match="not loaded"):
            await pool.replace()
        assert not any(worker.is_running() for worker in workers)
