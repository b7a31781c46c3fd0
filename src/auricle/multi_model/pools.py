"""ModelPools: a Transcriber over one pool of workers for each model.

A job runs in the pool of the model that its options name. Pools share nothing but the crash budget
of the clients, so that a model that crashes, hangs or can't be loaded affects its own jobs only.
:mod:`auricle.multi_model.policy` decides which models are loaded.

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
from auricle.engines.placement import ModelPlan, Placement
from auricle.multi_model.policy import ModelNeed, ModelPolicy, Step
from auricle.system.logs import log_safely
from auricle.system.machine import available_memory_bytes
from auricle.values.errors import (
    AuricleError,
    Draining,
    ModelUnavailable,
    NoWorkerReady,
)
from auricle.values.transcriber import Counters, ModelState, ModelStats, QueueStats, Stats, total
from auricle.values.types import Job, ReservationRequest, Transcript
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.kinds.asr.model_pool import ModelPool
from auricle.workers.poison import CrashBudget

TICK_S = 1.0
"""Interval at which use is recorded and the policy is asked."""

log = structlog.get_logger("auricle.models")


@dataclass(slots=True)
class _Entry:
    """One model: its pool while it is loaded, and what remains of earlier pools."""

    plan: ModelPlan
    is_default: bool
    pool: ModelPool | None = None
    jobs: Counters = field(default_factory=Counters)
    replaced: int = 0
    error: str | None = None
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def name(self) -> str:
        return self.plan.model.name

    def retire(self, pool: ModelPool) -> None:
        """Keep the figures of a pool that was closed."""
        stats = pool.stats()
        self.jobs = total(Counters, [self.jobs, stats.jobs])
        self.replaced += stats.replaced


@dataclass(slots=True)
class _Reservation:
    """Room for a caller: in the pool of its model, and in those of models that it changed to."""

    request: ReservationRequest
    names: dict[ModelPool, str]

    def name_in(self, pool: ModelPool) -> str:
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
        self._open: Callable[..., ModelPool] = partial(
            ModelPool, queue=queue, crash_audio=crash_audio, crash_budget=budget
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
        self._default_pool = self._default.pool = self._new_pool(self._default, default)

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
        await self._default_pool.wait_ready(timeout_s)

    async def aclose(self, drain_s: float = 0.0) -> None:
        """Reject new jobs, finish accepted ones within ``drain_s``, then stop all workers."""
        self._is_draining = True
        if self._driver is not None:  # it might load another model meanwhile
            self._driver.cancel()
            await asyncio.wait([self._driver])
            self._driver = None
        async with anyio.create_task_group() as closing:
            for entry in self._entries.values():
                if entry.pool is not None:
                    closing.start_soon(entry.pool.aclose, drain_s)

    async def transcribe(self, job: Job) -> Transcript:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        entry = self._find(job.options.model)
        if not job.is_admitted:
            self._refuse_when_draining()
        pool = self._ready_pool(entry)
        held = self._reservations.get(job.reservation) if job.reservation is not None else None
        name = held.name_in(pool) if held is not None else None
        try:
            return await pool.transcribe(replace(job, reservation=name))
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
        loaded = {e.name: e.pool.stats() for e in self._entries.values() if e.pool is not None}
        default = loaded[self._default.name]
        models = tuple(
            self._model_stats(entry, loaded.get(entry.name)) for entry in self._entries.values()
        )
        return replace(
            default,
            workers=tuple(
                replace(worker, model="" if name == self._default.name else name)
                for name, stats in loaded.items()
                for worker in stats.workers
            ),
            ready=default.ready and not self._is_draining,
            queue=total(QueueStats, [stats.queue for stats in loaded.values()]),
            jobs=total(Counters, [model.jobs for model in models]),
            replaced=sum(stats.replaced for stats in loaded.values())
            + sum(entry.replaced for entry in self._entries.values()),
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
            if entry.pool is not None:
                await entry.pool.reload()

    # Internals.

    def _find(self, name: str) -> _Entry:
        if not name:
            return self._default
        entry = self._entries.get(name)
        if entry is None:
            raise not_served(tuple(self._entries))
        return entry

    def _ready_pool(self, entry: _Entry) -> ModelPool:
        """Return the pool of a model; load the model if there is none.

        Raises:
            ModelUnavailable: The model is not ready.
        """
        if entry.pool is not None:
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

    def _model_stats(self, entry: _Entry, stats: Stats | None) -> ModelStats:
        if stats is None:
            state = self._policy.state(entry.name)
            if state is ModelState.READY:  # its workers are being stopped
                state = ModelState.RESTARTING
            return ModelStats(
                entry.name,
                state,
                jobs=entry.jobs,
                error=entry.error,
                traits=entry.plan.model.traits,
            )
        (model,) = stats.models
        return replace(model, jobs=total(Counters, [entry.jobs, model.jobs]))

    def _new_pool(self, entry: _Entry, placement: Placement) -> ModelPool:
        name = "asr" if entry.is_default else f"asr-{entry.name}"
        return self._open(entry.plan, placement, name=name, numbers=entry.numbers)

    async def _run(self) -> None:
        """Load and unload models until cancelled."""
        async with anyio.create_task_group() as tasks:
            while True:
                self._news.clear()
                await self._take_steps(tasks)
                with anyio.move_on_after(TICK_S):
                    await self._news.wait()

    async def _take_steps(self, tasks: TaskGroup) -> None:
        now = time.monotonic()
        while (step := self._next_step(now)) is not None:
            match step:
                case Step.LOAD, name:
                    self._policy.loading(name, now)
                    tasks.start_soon(self._load, self._entries[name])
                case Step.UNLOAD, name:
                    await self._unload(self._entries[name])
                case _:
                    raise AssertionError(step)

    def _next_step(self, now: float) -> tuple[Step, str] | None:
        for entry in self._entries.values():
            is_used = entry.pool is not None and (entry.pool.is_used or entry.pool.is_replacing)
            self._policy.note_use(entry.name, is_used=is_used, now=now)
        return self._policy.next_step(now)

    async def _load(self, entry: _Entry) -> None:
        try:
            placement = await to_thread.run_sync(entry.plan.place, abandon_on_cancel=True)
            self._policy.resize(entry.name, placement.memory_mb)
            log_safely(
                log.info, "model_loading", model=entry.name, workers=placement.worker.workers
            )
            pool = self._new_pool(entry, placement)
            await pool.load()
        except Exception as error:  # one model must not affect the others
            entry.error = str(error) if isinstance(error, AuricleError) else type(error).__name__
            pause_s = self._policy.failed(entry.name, time.monotonic())
            log_safely(
                log.error,
                "model_not_loaded",
                model=entry.name,
                reason=entry.error,
                again_in_s=pause_s,
            )
            return
        entry.pool, entry.error = pool, None
        self._policy.loaded(entry.name, time.monotonic())
        log_safely(log.info, "model_ready", model=entry.name)
        self._news.set()

    async def _unload(self, entry: _Entry) -> None:
        pool, entry.pool = entry.pool, None  # no job is accepted from here on
        if pool is not None:
            await pool.aclose()
            entry.retire(pool)
        self._policy.unloaded(entry.name)
        log_safely(log.info, "model_unloaded", model=entry.name)


def _driver_ended(driver: asyncio.Task[None]) -> None:
    """Report a bug; loaded models continue."""
    if not driver.cancelled() and (error := driver.exception()) is not None:
        log_safely(log.critical, "model_pools_ended", error=type(error).__name__, exc_info=error)
