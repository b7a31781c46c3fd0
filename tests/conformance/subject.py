"""What the suite knows of those who make a Transcriber, and of the parts that do its work.

A *part* is what can be lost as a whole: a worker of the local pool, a recogniser with all its
workers elsewhere. Its script reports the pid of the worker that runs it; its maker knows the
part that this belongs to.
"""

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from auricle.config.sections.model import ModelSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.models import Load, ModelTable, ServedModel
from auricle.engines.registry import find_engine
from auricle.multi_model.pools import ModelPools
from auricle.multi_model.sharing import plan_models
from auricle.values.transcriber import ModelState, Stats, Transcriber
from auricle.workers.kinds.asr.pool import WorkerPool
from auricle.workers.process import supervisor
from tests.support.model_pools import MEMORY_MB, model_pools
from tests.support.poll import poll_until
from tests.support.pool import worker_pool

ROOT = Path(__file__).parents[2]
SCRIPTED = "tests.support.scripted_engine"
START_LIMIT_S = 120.0
STOP_GRACE_S = 0.5
"""A worker that is stopped in a job never ends by itself: tests don't wait 5 s for it."""
POISON_ATTEMPTS = 4
"""The setting's default: how often a job may end its worker, for any kind of death."""


class Closable(Transcriber, Protocol):
    """A transcriber that waits at its end for what it has accepted."""

    async def aclose(self, drain_s: float = 0.0) -> None: ...


class Subject(Protocol):
    """A transcriber, and what a test may do to those who work for it."""

    @property
    def transcriber(self) -> Closable: ...

    @property
    def max_runs(self) -> int:
        """Maximum number of runs of a job that loses its worker each time."""
        ...

    def part(self, worker_pid: int) -> psutil.Process:
        """Return the process that has to live for this worker to be of use."""
        ...

    def lose(self, worker_pid: int) -> None:
        """Lose what this worker runs, at once, in the way that is likeliest here."""
        ...

    def processes(self) -> list[psutil.Process]:
        """Return every process that was started for this transcriber."""
        ...


class Maker(Protocol):
    """Opens a subject of ``nodes`` times ``workers`` workers.

    Args:
        nodes: Parts that can be lost by themselves, where there is a choice.
        model: What the engine is to load.
        engine: The engine's factory.
        models: A table of models, in place of ``model`` and ``engine``.
        ready: Whether to wait until all can work.
        settings: Fields of WorkerSettings and QueueSettings, for each node.
    """

    def __call__(
        self,
        *,
        nodes: int = 2,
        model: str = "scripted",
        engine: str = SCRIPTED,
        models: str = "",
        ready: bool = True,
        **settings: float,
    ) -> AbstractAsyncContextManager[Subject]: ...


DEFAULTS: dict[str, float] = {"workers": 1, "batch_jobs": 1, "job_timeout_min_s": 60.0}
"""Of the suite: one job at a time for each worker, and nothing hangs unless it is meant to."""


@dataclass(frozen=True)
class LocalSubject:
    """The local pool: its parts are its workers, and each loss is a death."""

    transcriber: WorkerPool | ModelPools
    max_runs: int = POISON_ATTEMPTS

    def part(self, worker_pid: int) -> psutil.Process:
        return psutil.Process(worker_pid)

    def lose(self, worker_pid: int) -> None:
        self.part(worker_pid).kill()

    def processes(self) -> list[psutil.Process]:
        return psutil.Process().children(recursive=True)


def local_maker(monkeypatch: pytest.MonkeyPatch) -> Maker:
    """Return what opens a WorkerPool."""
    monkeypatch.setenv("PYTHONPATH", python_path())
    monkeypatch.setattr(supervisor, "STOP_GRACE_S", STOP_GRACE_S)

    @asynccontextmanager
    async def opened(
        *,
        nodes: int = 2,
        model: str = "scripted",
        engine: str = SCRIPTED,
        models: str = "",
        ready: bool = True,
        **settings: float,
    ) -> AsyncIterator[Subject]:
        given = DEFAULTS | settings
        assert not models, "models_maker"
        worker, queue = divide(given)
        pool = worker_pool(
            WorkerSettings.model_validate(worker | {"workers": nodes * given["workers"]}),
            QueueSettings.model_validate(queue),
            engine=engine,
            model=model,
        )
        async with running(pool, ready=ready) as subject:
            yield subject

    return opened


def models_maker(monkeypatch: pytest.MonkeyPatch) -> Maker:
    """Return what opens the pools of two models; the suite uses the default one."""
    monkeypatch.setenv("PYTHONPATH", python_path())
    monkeypatch.setattr(supervisor, "STOP_GRACE_S", STOP_GRACE_S)

    @asynccontextmanager
    async def opened(
        *,
        nodes: int = 2,
        model: str = "scripted",
        engine: str = SCRIPTED,
        models: str = "",
        ready: bool = True,
        **settings: float,
    ) -> AsyncIterator[Subject]:
        given = DEFAULTS | settings
        if models:
            given["workers"] *= nodes
            async with model_pools(models, monkeypatch, ready=ready, **given) as several:
                if ready:
                    await poll_until(lambda: are_ready(several.stats()), "all models")
                yield LocalSubject(several)
            return
        worker, queue = divide(given | {"workers": nodes * given["workers"]})
        main = ModelSettings(engine=engine, model=model)
        other = ModelSettings(engine=SCRIPTED)
        table = ModelTable(
            (
                ServedModel("main", find_engine(engine), main),
                ServedModel("other", find_engine(SCRIPTED), other, Load.DEMAND),
            )
        )
        plans = plan_models(WorkerSettings.model_validate(worker), table, memory_mb=MEMORY_MB)
        pools = ModelPools(plans, plans[0].place(), QueueSettings.model_validate(queue))
        async with running(pools, ready=ready) as subject:
            yield subject

    return opened


@asynccontextmanager
async def running(pool: WorkerPool | ModelPools, *, ready: bool) -> AsyncIterator[LocalSubject]:
    """Start a pool, wait for it if asked, and close it."""
    await pool.start()
    try:
        if ready:
            await pool.wait_ready(START_LIMIT_S)
        yield LocalSubject(pool)
    finally:
        await pool.aclose()


def are_ready(stats: Stats) -> bool:
    """Return whether there are models and each is ready."""
    states = [model.state for model in stats.models]
    return bool(states) and all(state is ModelState.READY for state in states)


def divide(settings: dict[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Return what is for the workers, and what for the queue."""
    worker = {k: v for k, v in settings.items() if k in WorkerSettings.model_fields}
    queue = {k: v for k, v in settings.items() if k in QueueSettings.model_fields}
    assert len(worker) + len(queue) == len(settings), "an unknown setting"
    return worker, queue


def python_path() -> str:
    """Let workers import this repository, for the engines of the tests."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def still_there(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return those that run; a zombie only waits for its parent to look."""
    found = []
    for process in processes:
        try:
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found
