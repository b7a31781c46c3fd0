"""Several models in one transcriber: routing, loads, failures and replacements, with processes."""

import asyncio
import contextlib
import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from auricle.multi_model import pools as module
from auricle.multi_model.pools import ModelPools
from auricle.values.errors import (
    Draining,
    ModelNotFound,
    ModelUnavailable,
    NoWorkerReady,
    Overloaded,
    PoisonJob,
    RateLimited,
    SetupError,
)
from auricle.values.transcriber import ModelState
from auricle.values.types import ANONYMOUS, ClientId, Job, JobKind, ReservationRequest
from auricle.workers.kinds.asr import model_pool
from tests.support.model_pools import model_of, model_pools, pids_of, scripted
from tests.support.poll import poll_until
from tests.support.scripted_engine import answer
from tests.workers.kinds.asr.pool.helpers import closed_gate
from tests.workers.kinds.asr.pool.helpers import job as plain_job

pytestmark = pytest.mark.process


def job(name: str, model: str = "", script: str | None = None, **given: object) -> Job:
    plain = plain_job(name, script, **given)  # type: ignore[arg-type]
    return replace(plain, options=replace(plain.options, model=model))


def room(model: str = "", *, standing: bool = True) -> ReservationRequest:
    return ReservationRequest(ANONYMOUS, 15.0, standing=standing, model=model)


async def is_ready(pools: ModelPools, *names: str) -> None:
    for name in names:
        await poll_until(
            lambda name=name: model_of(pools, name).ready_workers > 0,  # type: ignore[misc]
            f"{name} ready",
        )


async def transcribed(pools: ModelPools, given: Job) -> str:
    """Transcribe a job as a client does that retries while its model loads."""
    while True:
        try:
            return (await pools.transcribe(given)).text
        except ModelUnavailable:
            await asyncio.sleep(0)


async def test_a_job_runs_in_the_pool_of_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    async with model_pools(scripted("main", "other"), monkeypatch) as pools:
        await is_ready(pools, "main", "other")
        for name, model in (("a", ""), ("b", "main"), ("c", "other")):
            given = job(name, model)
            assert (await pools.transcribe(given)).text == answer(given.pcm)
        assert model_of(pools, "main").jobs.done == 2
        assert model_of(pools, "other").jobs.done == 1
        stats = pools.stats()
        assert stats.jobs.done == 3
        assert [model.name for model in stats.models] == ["main", "other"]
        assert {worker.model for worker in stats.workers} == {"", "other"}
        assert len({worker.id for worker in stats.workers}) == 2


async def test_an_unknown_model_is_refused_with_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    async with model_pools(scripted("main", "other"), monkeypatch, ready=False) as pools:
        with pytest.raises(ModelNotFound, match="main, other"):
            await pools.transcribe(job("a", "third"))
        with pytest.raises(ModelNotFound, match="main, other"):
            pools.reserve(room("third"))


@pytest.mark.wall_clock
async def test_a_model_on_demand_is_loaded_by_a_request_and_unloaded_when_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = scripted("main", "rare=;load=demand")
    async with model_pools(models, monkeypatch, idle_s=0.5) as pools:
        assert model_of(pools, "rare").state is ModelState.UNLOADED
        assert not pids_of(pools, "rare")
        given = job("a", "rare")
        with pytest.raises(ModelUnavailable, match="rare is being loaded; try again.") as caught:
            await pools.transcribe(given)
        assert caught.value.retry_after_s >= 1
        assert await transcribed(pools, given) == answer(given.pcm)
        (worker,) = map(psutil.Process, pids_of(pools, "rare"))
        await poll_until(lambda: model_of(pools, "rare").state is ModelState.UNLOADED)
        await poll_until(lambda: not worker.is_running())
        assert model_of(pools, "rare").jobs.done == 1  # kept beyond its pool
        assert await transcribed(pools, job("b", "rare"))  # and loaded again


@pytest.mark.wall_clock
async def test_a_reserved_model_is_not_unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    models = scripted("main", "rare=;load=demand")
    async with model_pools(models, monkeypatch, idle_s=0.1) as pools:
        await transcribed(pools, job("a", "rare"))
        with contextlib.suppress(ModelUnavailable):
            name = pools.reserve(room("rare"))
            await asyncio.sleep(3.0)  # the policy is asked each second
            assert model_of(pools, "rare").state is ModelState.READY
            await pools.transcribe(job("b", "rare", reservation=name))
            pools.release(name)
        await poll_until(lambda: model_of(pools, "rare").state is ModelState.UNLOADED)


@pytest.mark.parametrize("script", ["scripted:setup-error", "scripted:exit:3", "scripted:raise"])
async def test_a_model_that_cannot_be_loaded_affects_only_itself(
    monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    models = scripted("main", f"broken={script}")
    async with model_pools(models, monkeypatch, backoff_first_s=0.01) as pools:
        await poll_until(lambda: model_of(pools, "broken").state is ModelState.FAILED)
        with pytest.raises(ModelUnavailable, match="broken can't be loaded") as caught:
            await pools.transcribe(job("a", "broken"))
        assert caught.value.retry_after_s >= 1
        stats = pools.stats()
        assert stats.is_working
        assert model_of(pools, "broken").error
        assert not model_of(pools, "broken").workers
        assert await transcribed(pools, job("b"))


async def replaced(pools: ModelPools, name: str) -> None:
    pool = pools._find(name).pool
    assert pool is not None
    await pool.replace()


async def test_a_closed_log_keeps_no_model_from_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BrokenPipeError

    for level in ("info", "error"):
        for each in (module, model_pool):
            monkeypatch.setattr(each.log, level, refuse)
    async with model_pools(scripted("main", "broken=scripted:setup-error"), monkeypatch) as pools:
        await poll_until(lambda: model_of(pools, "broken").state is ModelState.FAILED)
        await replaced(pools, "main")
        assert await transcribed(pools, job("a"))


async def test_a_model_that_is_repaired_is_loaded_after_the_pause(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("auricle.multi_model.policy.BACKOFF_FIRST_S", 0.1)
    marker = tmp_path / "broken"
    marker.touch()
    models = scripted("main", f"other=scripted:raise-once:{marker}")
    async with model_pools(models, monkeypatch, sandbox="off") as pools:  # type: ignore[arg-type]
        assert await transcribed(pools, job("a", "other"))
        assert not marker.exists()
        assert model_of(pools, "other").error is None


@pytest.mark.wall_clock
async def test_the_default_model_decides_whether_the_server_is_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with model_pools(scripted("main", "other"), monkeypatch) as pools:
        await is_ready(pools, "main", "other")
        os.kill(pids_of(pools, "other")[0], signal.SIGKILL)
        await poll_until(lambda: model_of(pools, "other").state is ModelState.RESTARTING)
        assert pools.stats().ready
        with pytest.raises(ModelUnavailable):
            await pools.transcribe(job("a", "other"))
        await is_ready(pools, "other")
        os.kill(pids_of(pools, "main")[0], signal.SIGKILL)
        await poll_until(lambda: not pools.stats().ready)
        with pytest.raises(NoWorkerReady):
            await pools.transcribe(job("b"))
        assert await transcribed(pools, job("c", "other"))


async def test_a_default_model_that_cannot_be_loaded_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = scripted("main=scripted:setup-error", "other")
    async with model_pools(models, monkeypatch, ready=False) as pools:
        with pytest.raises(SetupError, match="no such model"):
            await pools.wait_ready(60)


async def test_the_crash_budget_of_a_client_counts_for_all_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mallory = ClientId("mallory")
    async with model_pools(
        scripted("main", "other"),
        monkeypatch,
        max_crashes_per_key=1,
        poison_attempts=1,
        backoff_first_s=0.01,
    ) as pools:
        await is_ready(pools, "main", "other")
        with pytest.raises(PoisonJob):
            await pools.transcribe(job("a", "other", "abort", client=mallory))
        with pytest.raises(RateLimited):
            await pools.transcribe(job("b", client=mallory))
        assert await transcribed(pools, job("c"))


@pytest.mark.wall_clock
async def test_a_model_that_is_idle_while_it_is_replaced_is_unloaded_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = scripted("main", "rare=scripted:sleep:1.5;load=demand")
    async with model_pools(models, monkeypatch, idle_s=0.5) as pools:
        await transcribed(pools, job("a", "rare"))
        before = pids_of(pools, "rare")
        replacing = asyncio.create_task(replaced(pools, "rare"))
        await poll_until(lambda: set(before).isdisjoint(pids_of(pools, "rare")))
        await replacing
        workers = [psutil.Process(pid) for pid in pids_of(pools, "rare")]
        await poll_until(lambda: model_of(pools, "rare").state is ModelState.UNLOADED)
        await poll_until(lambda: not any(worker.is_running() for worker in workers))
        assert not pids_of(pools, "rare")
        assert await transcribed(pools, job("b", "rare"))


async def test_a_session_that_changes_its_model_keeps_its_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    models, gate = scripted("main", "other"), closed_gate(tmp_path)
    settings = {"sandbox": "off", "queue_audio_s": 20.0, "batch_jobs": 1}
    async with model_pools(models, monkeypatch, **settings) as pools:  # type: ignore[arg-type]
        await is_ready(pools, "main", "other")
        session = pools.reserve(room("main"))
        blocking = asyncio.create_task(pools.transcribe(job("long", "other", f"hold:{gate}")))
        await poll_until(lambda: pools.stats().queue.running_jobs == 1)
        filling = asyncio.create_task(pools.transcribe(job("fills", "other", seconds=20)))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await pools.transcribe(job("refused", "other"))
        gate.unlink()
        assert (await pools.transcribe(job("final", "other", reservation=session))).text
        assert (await blocking).text
        assert (await filling).text
        assert pools.stats().queue.reserved_audio_s == 30.0
        pools.release(session)
        pools.release(session)
        assert pools.stats().queue.reserved_audio_s == 0


async def test_a_replacement_that_cannot_be_loaded_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    marker = tmp_path / "good"
    async with model_pools(
        scripted("main", f"other=scripted:raise-once:{marker}"),
        monkeypatch,
        sandbox="off",  # type: ignore[arg-type]
    ) as pools:
        await is_ready(pools, "other")
        before = pids_of(pools, "other")
        marker.touch()
        with pytest.raises(SetupError, match="RuntimeError"):
            await replaced(pools, "other")
        assert pids_of(pools, "other") == before
        assert await transcribed(pools, job("a", "other"))


async def test_a_reload_replaces_only_models_with_other_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "model.bin").write_bytes(b"1")
    async with model_pools(scripted("main", f"other={tmp_path}"), monkeypatch) as pools:
        await is_ready(pools, "main", "other")
        main, other = pids_of(pools, "main"), pids_of(pools, "other")
        await pools.reload()
        assert (pids_of(pools, "main"), pids_of(pools, "other")) == (main, other)
        (tmp_path / "model.bin").write_bytes(b"22")
        await pools.reload()
        assert pids_of(pools, "main") == main
        assert set(other).isdisjoint(pids_of(pools, "other"))
        assert await transcribed(pools, job("a", "other"))


async def test_closing_ends_all_workers_and_rejects_new_jobs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    models, gate = scripted("main", "other"), closed_gate(tmp_path)
    async with model_pools(models, monkeypatch, sandbox="off") as pools:  # type: ignore[arg-type]
        await is_ready(pools, "main", "other")
        workers = [*map(psutil.Process, pids_of(pools, "main") + pids_of(pools, "other"))]
        accepted = asyncio.create_task(
            pools.transcribe(job("a", "other", f"hold:{gate}", kind=JobKind.FILE))
        )
        await poll_until(lambda: pools.stats().queue.running_jobs == 1)
        closing = asyncio.create_task(pools.aclose(drain_s=300))
        await asyncio.sleep(0)
        gate.unlink()
        await closing
        assert (await accepted).text
        assert not any(worker.is_running() for worker in workers)
        for model in ("", "other"):
            with pytest.raises(Draining):
                await pools.transcribe(job("b", model))


async def test_the_workers_of_a_model_may_read_the_files_of_that_model_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for directory in (one, other):
        directory.mkdir()
        (directory / "model.bin").write_bytes(b"1")
    async with model_pools(scripted(f"one={one}", f"other={other}"), monkeypatch) as pools:
        await is_ready(pools, "one", "other")
        for name, own, foreign in (("one", one, other), ("other", other, one)):
            (pid,) = pids_of(pools, name)
            policy = " ".join(psutil.Process(pid).cmdline())  # tests/workers/sandbox: it is obeyed
            assert str(own) in policy
            assert str(foreign) not in policy
