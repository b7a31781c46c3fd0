"""A replica: the worker pools of all models, including their handling of crashes and hangs.

This module does not depend on Ray. Serve calls the methods by name, on the event loop on which it
created the object; the argument ``to`` is for its router (:mod:`auricle.cluster.ray.router`).
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence

from auricle.cluster.recogniser.health import Health
from auricle.cluster.recogniser.pool_backend import PoolBackend
from auricle.cluster.recogniser.scaling import ONGOING_AUDIO
from auricle.cluster.settings import ClusterSettings
from auricle.cluster.wire.messages import parse_head
from auricle.config.settings import Settings
from auricle.system.logs import configure_logging
from auricle.values.errors import WorkerError
from auricle.values.transcriber import Stats
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.local_models import LocalTranscriber, find_local_models


def cores_of(settings: Settings) -> int:
    """Return the number of CPU cores for the workers of a replica."""
    return max(1, int(settings.section(ClusterSettings).replica_cpus))


class RecogniserReplica:
    """A replica, run by Serve.

    Args:
        settings: All settings, from the program that deployed the application.
    """

    def __init__(self, settings: Settings) -> None:
        configure_logging(settings.server.log_level)
        self._settings = settings
        self._health = Health(settings.worker.start_budget_s)
        self._closing = contextlib.AsyncExitStack()
        self._starting = asyncio.ensure_future(self._start())

    async def check_health(self) -> None:
        """Return if the replica is healthy; the first call waits until it is ready.

        Raises:
            SetupError: The model cannot be fetched or loaded.
            WorkerError: The replica must be replaced.
        """
        pool = await asyncio.shield(self._starting)
        if (problem := self._health.problem(pool.stats(), time.monotonic())) is not None:
            raise WorkerError(problem)

    async def transcribe(self, body: bytes, to: Sequence[str] = ()) -> AsyncGenerator[bytes, None]:
        """Yield the packed frames of the answer to a job; closing it cancels the job."""
        backend = PoolBackend(await asyncio.shield(self._starting), "")
        head, _ = parse_head(body)
        frames = backend.answer(body, head)
        try:
            async for frame in frames:
                yield frame
        finally:
            await frames.aclose()

    async def report(self, to: Sequence[str] = ()) -> Stats:
        """Return the statistics of the pool; empty ones before it has started."""
        if not self._starting.done():
            return Stats()
        return self._starting.result().stats()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Return the metric that drives autoscaling: seconds of audio that wait or run here."""
        stats = await self.report()
        return {ONGOING_AUDIO: stats.queue.waiting_audio_s + stats.queue.running_audio_s}

    async def aclose(self) -> None:
        """Finish accepted jobs, then stop the workers."""
        self._starting.cancel()
        await asyncio.wait([self._starting])
        if not self._starting.cancelled():
            self._starting.exception()  # mark as retrieved: check_health raises it
        await self._closing.aclose()

    async def _start(self) -> LocalTranscriber:
        settings = self._settings
        local = find_local_models(settings)
        plans = await asyncio.to_thread(
            local.plan, settings.worker, local.table(settings), cores=cores_of(settings)
        )
        place = await asyncio.to_thread(plans[0].place)
        async with contextlib.AsyncExitStack() as stack:
            crash_audio = None
            if settings.server.keep_audio is not None:
                crash_audio = CrashAudio.open(settings.server.keep_audio)
                stack.push_async_callback(crash_audio.aclose)
            pool = local.open(settings, plans, place, crash_audio)
            stack.push_async_callback(pool.aclose, settings.server.drain_s)
            await pool.start()
            await pool.wait_ready(settings.worker.start_budget_s)
            self._closing = stack.pop_all()
        return pool
