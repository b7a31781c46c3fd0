"""A pool of real child processes with the scripted engine or another one."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.workers.kinds.asr.pool import WorkerPool
from tests.support.pool import SCRIPTED, worker_pool

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 120.0

PoolFactory = Callable[..., AbstractAsyncContextManager[WorkerPool]]


@pytest.fixture
def open_pool(monkeypatch: pytest.MonkeyPatch) -> PoolFactory:
    """Return a factory of started pools; keyword arguments are settings of any section."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))

    @asynccontextmanager
    async def opened(
        model: str | None = "scripted",
        ready: bool = True,
        engine: str = SCRIPTED,
        **settings: float,
    ) -> AsyncIterator[WorkerPool]:
        worker = {k: v for k, v in settings.items() if k in WorkerSettings.model_fields}
        queue = {k: v for k, v in settings.items() if k in QueueSettings.model_fields}
        assert len(worker) + len(queue) == len(settings), "an unknown setting"
        pool = worker_pool(
            WorkerSettings.model_validate({"workers": 2, "job_timeout_min_s": 60.0} | worker),
            QueueSettings.model_validate(queue),
            engine=engine,
            model=model,
        )
        await pool.start()
        try:
            if ready:
                await pool.wait_ready(START_LIMIT_S)
            yield pool
        finally:
            await pool.aclose()

    return opened
