"""ModelPool: a Transcriber with one model, whose workers can be replaced while it serves."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import anyio
import structlog
from anyio import to_thread

from auricle.config.sections.queue import QueueSettings
from auricle.engines.models import not_served
from auricle.engines.placement import ModelPlan, Placement, file_state
from auricle.system.logs import log_safely
from auricle.system.machine import available_memory_bytes
from auricle.values.errors import AuricleError, DeadlineExceeded, Draining, SetupError
from auricle.values.transcriber import Counters, ModelState, ModelStats, QueueStats, Stats, total
from auricle.values.types import Job, ReservationRequest, Transcript
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.kinds.asr.pool import WorkerPool
from auricle.workers.poison import CrashBudget

MAX_FAILED_STARTS = 2
"""Workers of a model that may die while they load it; with one more, the model has failed."""
START_MARGIN_S = 10.0
"""Added to the start budget of a worker, so that the worker's own limit is reported first."""
REPLACED_DRAIN_S = 60.0
"""Time for the accepted jobs of a pool that was replaced; those left run in the new pool."""

log = structlog.get_logger("auricle.models")


@dataclass(slots=True)
class _Reservation:
    """Room for a caller, and its name in the current pool."""

    request: ReservationRequest
    name: str


class ModelPool:
    """Recognise jobs with one model, in worker processes.

    Call :meth:`start` or :meth:`load` once, from the event loop that uses the pool, and
    :meth:`aclose` at the end.

    Args:
        plan: The model with its share of the machine.
        placement: Where it runs.
        queue: Bounds of the queue.
        crash_audio: Where jobs that crash a worker are kept; ``None`` keeps none.
        crash_budget: Crash budget of the clients; ``None`` creates one.
        name: Prefix of the workers' IDs.
        numbers: Numbers of pools with this prefix; the first pool has none in its workers' IDs.
    """

    def __init__(
        self,
        plan: ModelPlan,
        placement: Placement,
        queue: QueueSettings,
        crash_audio: CrashAudio | None = None,
        crash_budget: CrashBudget | None = None,
        *,
        name: str = "asr",
        numbers: Iterator[int] | None = None,
    ) -> None:
        budget = crash_budget or CrashBudget.of(queue)
        self._open = partial(WorkerPool, queue=queue, crash_audio=crash_audio, crash_budget=budget)
        self._plan = plan
        self._name = name
        self._numbers = itertools.count(1) if numbers is None else numbers
        self._placement = placement
        self._pool = self._new_pool(placement)
        self._old_pools: list[WorkerPool] = []
        self._old_jobs = Counters()
        self._old_replaced = 0
        self._files: tuple[object, ...] = ()
        self._reservations: dict[str, _Reservation] = {}
        self._ids = itertools.count(1)
        self._lock = anyio.Lock()
        self._is_closed = False

    async def start(self) -> None:
        """Start the workers; return immediately."""
        self._files = await to_thread.run_sync(file_state, self._placement.model.path)
        await self._pool.start()

    async def load(self) -> None:
        """Start the workers, and wait until one is ready.

        Raises:
            SetupError: The model can't be loaded; no worker is left.
        """
        self._files = await self._load(self._pool, self._placement)

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait until a worker is ready.

        Raises:
            SetupError: No worker was ready in time, or the model cannot be loaded.
        """
        await self._pool.wait_ready(timeout_s)

    async def aclose(self, drain_s: float = 0.0) -> None:
        """Reject new jobs, finish accepted ones within ``drain_s``, then stop all workers."""
        self._is_closed = True
        async with anyio.create_task_group() as closing:
            for pool in self._pools:
                closing.start_soon(pool.aclose, drain_s)

    async def transcribe(self, job: Job) -> Transcript:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        self._check(job.options.model)
        began_at = time.monotonic()
        while True:
            pool = self._pool
            try:
                return await pool.transcribe(self._for_pool(job, began_at))
            except Draining:
                if pool is self._pool:
                    raise
                # The job waited in a pool that was replaced.

    def reserve(self, request: ReservationRequest) -> str:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        self._check(request.model)
        return self._keep(request, self._pool.reserve(request))

    def adopt(self, request: ReservationRequest) -> str:
        """Reserve what was admitted for another model; never rejected."""
        return self._keep(request, self._pool.adopt(request))

    def release(self, reservation: str) -> None:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        held = self._reservations.pop(reservation, None)
        if held is not None:
            self._pool.release(held.name)

    @property
    def is_used(self) -> bool:
        """Whether callers wait for jobs, or have reservations."""
        return bool(self._reservations) or any(pool.has_jobs for pool in self._pools)

    @property
    def is_replacing(self) -> bool:
        """Whether its workers are being replaced."""
        return self._lock.locked()

    def stats(self) -> Stats:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        parts = [pool.stats() for pool in self._pools]
        workers = tuple(worker for stats in parts for worker in stats.workers)
        ready = sum(stats.ready_workers for stats in parts)
        queue = total(QueueStats, [stats.queue for stats in parts])
        jobs = total(Counters, [self._old_jobs, *(stats.jobs for stats in parts)])
        speeds = [stats.seconds_per_audio_s for stats in parts if stats.seconds_per_audio_s]
        has_loaded = self._pool.has_loaded
        loaded = ModelState.READY if ready else ModelState.RESTARTING
        model = ModelStats(
            self._plan.model.name,
            loaded if has_loaded else ModelState.LOADING,
            workers=len(workers),
            ready_workers=ready,
            queue=queue,
            jobs=jobs,
            error=None if has_loaded else self._pool.start_error,
            seconds_per_audio_s=speeds[0] if speeds else 0.0,
            traits=self._plan.model.traits,
        )
        return replace(
            parts[0],
            workers=workers,
            queue=queue,
            jobs=jobs,
            replaced=self._old_replaced + sum(stats.replaced for stats in parts),
            models=(model,),
        )

    async def reload(self) -> None:
        """Replace the workers if the model's files have changed.

        A model that can't be replaced continues unchanged; the log says why.
        """
        name = self._plan.model.name
        try:
            files = await to_thread.run_sync(_files_of, self._plan)
            if files == self._files:
                log_safely(log.info, "model_unchanged", model=name)
            else:
                await self.replace()
        except (AuricleError, OSError) as error:
            log_safely(log.error, "model_not_replaced", model=name, reason=str(error))

    async def replace(self) -> None:
        """Load the model again, then stop the workers that have the old one. No job is rejected.

        Raises:
            SetupError: The pool is closed, the model can't be loaded, or there is no memory for
                both; the old one continues.
        """
        async with self._lock:
            if self._is_closed:
                raise SetupError(f"The model {self._plan.model.name} is not loaded.")
            placement = await to_thread.run_sync(self._plan.place)
            need_mb, free_mb = placement.memory_mb, available_memory_bytes() / 1e6
            if need_mb > free_mb:
                raise SetupError(
                    f"The new workers need {need_mb:.0f} MB, and {free_mb:.0f} MB are available."
                )
            began_at = time.monotonic()
            old, new = self._pool, self._new_pool(placement)
            self._files = await self._load(new, placement)
            self._old_pools.append(old)
            self._pool = new
            for held in self._reservations.values():
                held.name = new.adopt(held.request)
            after_s = round(time.monotonic() - began_at, 1)
            log_safely(log.info, "model_replaced", model=self._plan.model.name, after_s=after_s)
            await old.aclose(REPLACED_DRAIN_S)
            stats = old.stats()
            self._old_jobs = total(Counters, [self._old_jobs, stats.jobs])
            self._old_replaced += stats.replaced
            self._old_pools.remove(old)

    # Internals.

    @property
    def _pools(self) -> list[WorkerPool]:
        return [self._pool, *self._old_pools]

    def _check(self, name: str) -> None:
        """Check the model that a request names.

        Raises:
            ModelNotFound: It is another one.
        """
        if name not in ("", self._plan.model.name):
            raise not_served((self._plan.model.name,))

    def _keep(self, request: ReservationRequest, name: str) -> str:
        id = f"m{next(self._ids)}"
        self._reservations[id] = _Reservation(request, name)
        return id

    def _for_pool(self, job: Job, began_at: float) -> Job:
        """Return the job for the current pool: with its reservation, and the time that is left.

        Raises:
            DeadlineExceeded: No time is left.
        """
        max_wait_s = job.max_wait_s
        if max_wait_s is not None:
            max_wait_s -= time.monotonic() - began_at
            if max_wait_s <= 0:
                raise DeadlineExceeded()
        held = self._reservations.get(job.reservation) if job.reservation is not None else None
        name = held.name if held is not None else None
        return replace(job, reservation=name, max_wait_s=max_wait_s)

    def _new_pool(self, placement: Placement) -> WorkerPool:
        _log_capacity(self._plan.model.name, placement)
        number = next(self._numbers)
        return self._open(placement, name=self._name if number == 1 else f"{self._name}.{number}")

    async def _load(self, pool: WorkerPool, placement: Placement) -> tuple[object, ...]:
        """Start a pool until it has a ready worker; return the state of the model's files before.

        Raises:
            SetupError: The model can't be loaded; the pool is closed.
        """
        files = await to_thread.run_sync(file_state, placement.model.path)
        await pool.start()
        try:
            limit_s = placement.worker.start_budget_s + START_MARGIN_S
            await pool.wait_ready(limit_s, MAX_FAILED_STARTS)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await pool.aclose()
            raise
        return files


def _log_capacity(name: str, placement: Placement) -> None:
    """Report what decides how many live sessions are admitted, if something was measured."""
    if (capacity := placement.capacity) is not None:
        log.info("capacity_used", model=name, live_sessions=capacity.live_sessions)
    elif placement.other_capacity:
        log.info("capacity_not_used", model=name, reason=placement.other_capacity)


def _files_of(plan: ModelPlan) -> tuple[object, ...]:
    return file_state(plan.place().model.path)
