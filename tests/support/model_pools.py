"""Several models in one transcriber, each with real child processes."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from auricle.config.sections.model import ModelSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.multi_model.pools import ModelPools
from auricle.multi_model.sharing import plan_models
from auricle.multi_model.table import parse_table
from auricle.values.transcriber import ModelStats

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 120.0
MEMORY_MB = 100_000.0


def scripted(*models: str) -> str:
    """Return a table of the scripted engine: each ``NAME`` or ``NAME=SCRIPT;OPTIONS``."""
    entries = []
    for model in models:
        name, _, rest = model.partition("=")
        script, *options = rest.split(";")
        target = f"{name}=tests.support.scripted_engine:{script or 'scripted'}"
        entries.append(";".join([target, *options]))
    return ",".join(entries)


@asynccontextmanager
async def model_pools(
    models: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    ready: bool = True,
    idle_s: float = 0.0,
    memory_mb: float = MEMORY_MB,
    **settings: float,
) -> AsyncIterator[ModelPools]:
    """Start the models of a table; ``settings`` are of the workers and the queue."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    worker = {k: v for k, v in settings.items() if k in WorkerSettings.model_fields}
    queue = {k: v for k, v in settings.items() if k in QueueSettings.model_fields}
    assert len(worker) + len(queue) == len(settings), "an unknown setting"
    table = parse_table([each.strip() for each in models.split(",")], ModelSettings())
    plans = plan_models(
        WorkerSettings.model_validate({"workers": 1, "job_timeout_min_s": 60.0} | worker),
        table,
        memory_mb=memory_mb,
    )
    pools = ModelPools(
        plans,
        plans[0].place(),
        QueueSettings.model_validate(queue),
        idle_s=idle_s,
        memory_mb=memory_mb,
    )
    await pools.start()
    try:
        if ready:
            await pools.wait_ready(START_LIMIT_S)
        yield pools
    finally:
        await pools.aclose()


def model_of(pools: ModelPools, name: str) -> ModelStats:
    return next(model for model in pools.stats().models if model.name == name)


def pids_of(pools: ModelPools, name: str) -> list[int]:
    """Return the worker processes of a model; those of the default have an empty name."""
    is_default = pools.stats().models[0].name == name
    return [
        worker.pid
        for worker in pools.stats().workers
        if worker.pid is not None and worker.model == ("" if is_default else name)
    ]
