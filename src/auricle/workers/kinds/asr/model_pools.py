"""ModelPools: a Transcriber over one pool of workers for each model.

A job runs in the pool of the model that its options name. Pools share nothing but the crash budget
of the clients, so that a model that crashes, hangs or can't be loaded affects its own jobs only.
:mod:`auricle.workers.kinds.asr.model_policy` decides which models are loaded.

The default model is loaded at the start and never unloaded: it decides whether the server is ready.
Requests for another model that is not ready get ``ModelUnavailable`` with a retry time.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
import structlog
from anyio import to_thread
from anyio.abc import TaskGroup

from auricle.config.sections.queue import QueueSettings
from auricle.engines.models import not_served
from auricle.engines.placement import ModelPlan, Placement, file_state
from auricle.system.logs import log_safely
from auricle.system.machine import available_memory_bytes
from auricle.values.errors import (
    AuricleError,
    DeadlineExceeded,
    Draining,
    ModelUnavailable,
    NoWorkerReady,
    SetupError,
)
from auricle.values.transcriber import Counters, ModelState, ModelStats, QueueStats, Stats, total
from auricle.values.types import Job, ReservationRequest, Transcript
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.kinds.asr.model_policy import ModelNeed, ModelPolicy, Step
from auricle.workers.kinds.asr.pool import WorkerPool
from auricle.workers.poison import CrashBudget

TICK_S = 1.0
"""Interval at which use is recorded and the policy is asked."""
MAX_FAILED_STARTS = 2
"""Workers of a model that may die while they load it; with one more, the model has failed."""
START_MARGIN_S = 10.0
"""Added to the start budget of a worker, so that the worker's own limit is reported first."""
REPLACED_DRAIN_S = 60.0
"""Time for the accepted jobs of a pool that was replaced; those left run in the new pool."""

log = structlog.get_logger("auricle.models")


@dataclass(slots=True)
class _Entry:
    """One model: its pool while it is loaded, and what remains of earlier pools."""

    plan: ModelPlan
    is_default: bool
    pool: WorkerPool | None = None
    old_pools: list[WorkerPool] = field(default_factory=list)
    jobs: list[Counters] = field(default_factory=lambda: [Counters()])
    replaced: int = 0
    files: tuple[object, ...] = ()
    error: str | None = None
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    @property
    def name(self) -> str:
        return self.plan.model.name

    @property
    def pools(self) -> list[WorkerPool]:
        return [*filter(None, [self.pool]), *self.old_pools]

    def retire(self, pool: WorkerPool) -> None:
        """Keep the figures of a pool that was closed."""
        stats = pool.stats()
        self.jobs = [total(Counters, [*self.jobs, stats.jobs])]
        self.replaced += stats.replaced


@dataclass(slots=True)
class _Reservation:
    """Room for a caller: in the pool of its model, and in those of models that it changed to."""

    request: ReservationRequest
    names: dict[WorkerPool, str]

    def name_in(self, pool: WorkerPool) -> str:
        """Return the name of the reservation in a pool; what was admitted once stays admitted."""
        if pool not in self.names:
            self.names[pool] = pool.adopt(self.request)
        return self.names[pool]


class ModelPools:
    """Recognise jobs with several models, each in separate worker processes.

    Call :meth:`start` once, from the event loop that uses the pools, and :meth:`aclose` at the end.

    Args:
        plans: The models with their shares of the machine, the default first.
        default: Where the default model runs; it was found before.
        queue: Bounds of the queue of each model.
        crash_audio: Where jobs that crash a worker are kept; ``None`` keeps none.
        crash_budget: Crash budget of the clients, shared by all pools; ``None`` creates one.
        idle_s: Time without use after which a model on demand is unloaded; 0: never.
        memory_mb: Memory for all models in MB; ``None``: all that is available.
    """

    def __init__(
        self,
        plans: Sequence[ModelPlan],
        default: Placement,
        queue: QueueSettings,
        crash_audio: CrashAudio | None = None,
        crash_budget: CrashBudget | None = None,
        *,
        idle_s: float = 0.0,
        memory_mb: float | None = None,
    ) -> None:
        budget = crash_budget or CrashBudget.of(queue)
        self._open: Callable[..., WorkerPool] = partial(
            WorkerPool, queue=queue, crash_audio=crash_audio, crash_budget=budget
        )
        self._entries = {plan.model.name: _Entry(plan, i == 0) for i, plan in enumerate(plans)}
        self._default = next(iter(self._entries.values()))
        if memory_mb is None:
            memory_mb = available_memory_bytes() / 1e6
        self._policy = ModelPolicy(
            [
                ModelNeed(plan.model.name, plan.memory_mb, plan.model.is_loaded_at_start)
                for plan in plans
            ],
            memory_mb,
            idle_s,
        )
        self._reservations: dict[str, _Reservation] = {}
        self._ids = itertools.count(1)
        self._news = asyncio.Event()
        self._driver: asyncio.Task[None] | None = None
        self._is_draining = False
        self._default_pool = self._set_pool(self._default, default)

    async def start(self) -> None:
        """Start the workers of the models that load at the start; return immediately."""
        self._policy.loading(self._default.name, time.monotonic())
        await self._default_pool.start()
        self._driver = asyncio.create_task(self._run(), name="model pools")
        self._driver.add_done_callback(_driver_ended)

    async def wait_ready(self, timeout_s: float) -> None:
        """Wait until a worker of the default model is ready.

        Raises:
            SetupError: No worker was ready in time, or the model cannot be loaded.
        """
        await self._current(self._default).wait_ready(timeout_s)

    async def aclose(self, drain_s: float = 0.0) -> None:
        """Reject new jobs, finish accepted ones within ``drain_s``, then stop all workers."""
        self._is_draining = True
        if self._driver is not None:  # it might load another model meanwhile
            self._driver.cancel()
            await asyncio.wait([self._driver])
            self._driver = None
        async with anyio.create_task_group() as closing:
            for entry in self._entries.values():
                for pool in entry.pools:
                    closing.start_soon(pool.aclose, drain_s)

    async def transcribe(self, job: Job) -> Transcript:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        entry = self._find(job.options.model)
        if not job.is_admitted:
            self._refuse_when_draining()
        began_at = time.monotonic()
        while True:
            pool = self._ready_pool(entry)
            try:
                return await pool.transcribe(self._for_pool(job, pool, began_at))
            except Draining:  # the job waited in a pool that was replaced
                if self._is_draining:
                    raise
                if pool is entry.pool:
                    raise self._unavailable(entry) from None
            except NoWorkerReady as error:
                raise self._own_error(entry, error) from error

    def reserve(self, request: ReservationRequest) -> str:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        entry = self._find(request.model)
        self._refuse_when_draining()
        pool = self._ready_pool(entry)
        try:
            name = pool.reserve(request)
        except NoWorkerReady as error:
            raise self._own_error(entry, error) from error
        id = f"m{next(self._ids)}"
        self._reservations[id] = _Reservation(request, {pool: name})
        return id

    def release(self, reservation: str) -> None:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        held = self._reservations.pop(reservation, None)
        for pool, name in held.names.items() if held is not None else ():
            pool.release(name)

    def stats(self) -> Stats:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        entries = self._entries.values()
        parts = {entry.name: [pool.stats() for pool in entry.pools] for entry in entries}
        default, *_ = parts[self._default.name]
        models = tuple(self._model_stats(entry, parts[entry.name]) for entry in entries)
        pools = [stats for own in parts.values() for stats in own]
        return replace(
            default,
            workers=tuple(
                replace(worker, model="" if entry.is_default else entry.name)
                for entry in entries
                for stats in parts[entry.name]
                for worker in stats.workers
            ),
            ready=default.ready and not self._is_draining,
            queue=total(QueueStats, [stats.queue for stats in pools]),
            jobs=total(Counters, [model.jobs for model in models]),
            replaced=sum(stats.replaced for stats in pools) + sum(e.replaced for e in entries),
            models=models,
        )

    # Replacing models.

    async def reload(self) -> None:
        """Replace the models whose files have changed, and try failed ones again.

        A model that can't be replaced continues unchanged; the log says why.
        """
        self._policy.retry_now()
        self._news.set()
        for entry in self._entries.values():
            if entry.pool is None:
                continue
            try:
                files = await to_thread.run_sync(_files_of, entry.plan)
                if files == entry.files:
                    log_safely(log.info, "model_unchanged", model=entry.name)
                else:
                    await self.replace(entry.name)
            except (AuricleError, OSError) as error:
                log_safely(log.error, "model_not_replaced", model=entry.name, reason=str(error))

    async def replace(self, name: str) -> None:
        """Load a model again, then stop the workers that have the old one. No job is rejected.

        Raises:
            ModelNotFound: There is no such model.
            SetupError: The model is not loaded, or can't be loaded, or there is no memory for both;
                the old one continues.
        """
        entry = self._find(name)
        async with entry.lock:
            placement = await to_thread.run_sync(entry.plan.place)
            old = entry.pool
            if old is None:
                raise SetupError(f"The model {entry.name} is not loaded.")
            need_mb, free_mb = placement.memory_mb, available_memory_bytes() / 1e6
            if need_mb > free_mb:
                raise SetupError(
                    f"The new workers need {need_mb:.0f} MB, and {free_mb:.0f} MB are available."
                )
            began_at = time.monotonic()
            new = await self._start_pool(entry, placement)
            entry.old_pools.append(old)
            entry.pool, entry.error = new, None
            self._policy.loading(entry.name, began_at)
            self._policy.loaded(entry.name, time.monotonic())
            for held in self._reservations.values():
                if held.names.pop(old, None) is not None:
                    held.name_in(new)
            after_s = round(time.monotonic() - began_at, 1)
            log_safely(log.info, "model_replaced", model=entry.name, after_s=after_s)
            await old.aclose(REPLACED_DRAIN_S)
            entry.retire(old)
            entry.old_pools.remove(old)

    # Internals.

    def _find(self, name: str) -> _Entry:
        if not name:
            return self._default
        entry = self._entries.get(name)
        if entry is None:
            raise not_served(tuple(self._entries))
        return entry

    def _current(self, entry: _Entry) -> WorkerPool:
        assert entry.pool is not None
        return entry.pool

    def _ready_pool(self, entry: _Entry) -> WorkerPool:
        """Return the pool of a model; load the model if there is none.

        Raises:
            ModelUnavailable: The model is not ready.
        """
        is_ready = self._policy.state(entry.name) is ModelState.READY
        if entry.pool is not None and (is_ready or entry.is_default):
            return entry.pool
        self._refuse_when_draining()
        raise self._unavailable(entry)

    def _refuse_when_draining(self) -> None:
        if self._is_draining:
            raise Draining()

    def _unavailable(self, entry: _Entry) -> ModelUnavailable:
        retry_after_s = self._policy.request(entry.name, time.monotonic())
        self._news.set()
        state = "can't be loaded" if entry.error else "is being loaded"
        return ModelUnavailable(f"The model {entry.name} {state}; try again.", retry_after_s)

    def _own_error(self, entry: _Entry, error: NoWorkerReady) -> NoWorkerReady:
        """Return the error for a model whose workers are down: background jobs need not wait."""
        return error if entry.is_default else ModelUnavailable(str(error), error.retry_after_s)

    def _for_pool(self, job: Job, pool: WorkerPool, began_at: float) -> Job:
        """Return the job for a pool: with the reservation there, and the time that is left.

        Raises:
            DeadlineExceeded: No time is left.
        """
        max_wait_s = job.max_wait_s
        if max_wait_s is not None:
            max_wait_s -= time.monotonic() - began_at
            if max_wait_s <= 0:
                raise DeadlineExceeded()
        held = self._reservations.get(job.reservation) if job.reservation is not None else None
        name = held.name_in(pool) if held is not None else None
        if name == job.reservation and max_wait_s == job.max_wait_s:
            return job
        return replace(job, reservation=name, max_wait_s=max_wait_s)

    def _model_stats(self, entry: _Entry, parts: Sequence[Stats]) -> ModelStats:
        ready = sum(stats.ready_workers for stats in parts)
        state = self._policy.state(entry.name)
        if state is ModelState.READY and not ready:
            state = ModelState.RESTARTING
        return ModelStats(
            entry.name,
            state,
            workers=sum(len(stats.workers) for stats in parts),
            ready_workers=ready,
            queue=total(QueueStats, [QueueStats(), *(stats.queue for stats in parts)]),
            jobs=total(Counters, [*entry.jobs, *(stats.jobs for stats in parts)]),
            error=entry.error,
            seconds_per_audio_s=next(
                (stats.seconds_per_audio_s for stats in parts if stats.seconds_per_audio_s), 0.0
            ),
            traits=entry.plan.model.traits,
        )

    def _new_pool(self, entry: _Entry, placement: Placement) -> WorkerPool:
        _log_capacity(entry.name, placement)
        number = next(entry.numbers)
        name = "asr" if entry.is_default else f"asr-{entry.name}"
        return self._open(placement, name=name if number == 1 else f"{name}.{number}")

    def _set_pool(self, entry: _Entry, placement: Placement) -> WorkerPool:
        entry.pool = self._new_pool(entry, placement)
        entry.files = file_state(placement.model.path)
        return entry.pool

    async def _start_pool(self, entry: _Entry, placement: Placement) -> WorkerPool:
        """Return a new pool with a ready worker.

        Raises:
            SetupError: The model can't be loaded.
        """
        files = await to_thread.run_sync(file_state, placement.model.path)
        pool = self._new_pool(entry, placement)
        await pool.start()
        try:
            limit_s = placement.worker.start_budget_s + START_MARGIN_S
            await pool.wait_ready(limit_s, MAX_FAILED_STARTS)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await pool.aclose()
            raise
        entry.files = files
        return pool

    async def _run(self) -> None:
        """Load and unload models until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_default)
            while True:
                self._news.clear()
                await self._take_steps(tasks)
                with anyio.move_on_after(TICK_S):
                    await self._news.wait()

    async def _watch_default(self) -> None:
        """Record when the default model is ready; the owner of the pools handles a failure."""
        try:
            await self._default_pool.wait_ready(float("inf"))
        except SetupError as error:
            self._default.error = str(error)
            return
        self._policy.loaded(self._default.name, time.monotonic())

    async def _take_steps(self, tasks: TaskGroup) -> None:
        now = time.monotonic()
        reserved = {pool for held in self._reservations.values() for pool in held.names}
        for entry in self._entries.values():
            is_used = any(pool in reserved or pool.has_jobs for pool in entry.pools)
            self._policy.note_use(entry.name, is_used=is_used, now=now)
        while (step := self._policy.next_step(now)) is not None:
            match step:
                case Step.LOAD, name:
                    self._policy.loading(name, now)
                    tasks.start_soon(self._load, self._entries[name])
                case Step.UNLOAD, name:
                    if self._entries[name].lock.locked():  # it is being replaced: ask again later
                        return
                    await self._unload(self._entries[name])
                case _:
                    raise AssertionError(step)

    async def _load(self, entry: _Entry) -> None:
        async with entry.lock:
            try:
                placement = await to_thread.run_sync(entry.plan.place, abandon_on_cancel=True)
                self._policy.resize(entry.name, placement.memory_mb)
                log_safely(
                    log.info, "model_loading", model=entry.name, workers=placement.worker.workers
                )
                entry.pool = await self._start_pool(entry, placement)
            except Exception as error:  # one model must not affect the others
                entry.error = (
                    str(error) if isinstance(error, AuricleError) else type(error).__name__
                )
                pause_s = self._policy.failed(entry.name, time.monotonic())
                log_safely(
                    log.error,
                    "model_not_loaded",
                    model=entry.name,
                    reason=entry.error,
                    again_in_s=pause_s,
                )
                return
            entry.error = None
            self._policy.loaded(entry.name, time.monotonic())
            log_safely(log.info, "model_ready", model=entry.name)
            self._news.set()

    async def _unload(self, entry: _Entry) -> None:
        pool, entry.pool = entry.pool, None  # no job is accepted from here on
        async with entry.lock:
            if pool is not None:
                await pool.aclose()
                entry.retire(pool)
            self._policy.unloaded(entry.name)
            log_safely(log.info, "model_unloaded", model=entry.name)


def _log_capacity(name: str, placement: Placement) -> None:
    """Report what decides how many live sessions are admitted, if something was measured."""
    if (capacity := placement.capacity) is not None:
        log.info("capacity_used", model=name, live_sessions=capacity.live_sessions)
    elif placement.other_capacity:
        log.info("capacity_not_used", model=name, reason=placement.other_capacity)


def _files_of(plan: ModelPlan) -> tuple[object, ...]:
    return file_state(plan.place().model.path)


def _driver_ended(driver: asyncio.Task[None]) -> None:
    """Report a bug; loaded models continue."""
    if not driver.cancelled() and (error := driver.exception()) is not None:
        log_safely(log.critical, "model_pools_ended", error=type(error).__name__, exc_info=error)
