"""Pool: jobs of any kind in worker processes.

The pool connects three independent parts: the schedule (which job is next), the supervisor (which
processes run) and the callers' futures.
"""

import asyncio
import time
from collections.abc import Hashable
from dataclasses import replace
from typing import Any, Generic, TypeVar

import anyio
import structlog

from auricle.config.sections.worker import WorkerSettings
from auricle.system.logs import log_safely
from auricle.values.transcriber import Stats
from auricle.workers.delivery import deliver
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.process.launch import Launch
from auricle.workers.process.process import ProcessExit
from auricle.workers.process.supervisor import WorkerSupervisor
from auricle.workers.schedule import Down, Schedule
from auricle.workers.wire.messages import WorkerReady

J = TypeVar("J")
R = TypeVar("R")

log = structlog.get_logger(__name__)


class Pool(Generic[J, R]):
    """Do jobs in worker processes; survive their crashes, hangs and memory growth.

    Call :meth:`start` once, from the event loop that uses the pool, and :meth:`aclose` at the end.

    Args:
        name: Prefix of the workers' IDs, unique among pools.
        schedule: The jobs.
        launch: How workers are started.
        settings: Budgets, limits and backoff of workers.
        size: Number of workers, at least 1.
        model: Name of the model that the workers load.
        is_lazy: Whether the first job starts the workers, or :meth:`prepare`.
    """

    def __init__(
        self,
        name: str,
        schedule: Schedule[J, R],
        launch: Launch,
        settings: WorkerSettings,
        size: int,
        *,
        model: str = "",
        is_lazy: bool = False,
    ) -> None:
        self._name = name
        self._jobs = schedule
        self._model = model
        self._is_lazy = is_lazy
        self._supervisor = WorkerSupervisor(name, size, settings, launch, self)
        self._futures: dict[Hashable, asyncio.Future[R]] = {}
        self._driver: asyncio.Task[None] | None = None
        self._is_wanted = asyncio.Event()
        self._is_idle = asyncio.Event()
        self._is_draining = self._is_closed = False

    async def start(self) -> None:
        """Accept jobs, and start the workers unless they are lazy; return immediately."""
        if not self._is_lazy:
            self.prepare()
        self._driver = asyncio.create_task(self._run(), name=f"{self._name} pool")
        self._driver.add_done_callback(self._driver_ended)

    async def aclose(self, drain_s: float = 0.0) -> None:
        """Reject new jobs, finish accepted ones within ``drain_s``, then stop the workers."""
        self._is_draining = True
        if self._futures and drain_s > 0:
            self._is_idle.clear()
            with anyio.move_on_after(drain_s):
                await self._is_idle.wait()
        self._close(Down.CLOSED)
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.wait([self._driver])
            self._driver = None

    def prepare(self) -> None:
        """Start lazy workers, which takes about a second; idempotent."""
        self._is_wanted.set()

    async def submit(self, job: J) -> R:
        """Return the result of a job; cancelling the call cancels the job.

        Raises:
            AuricleError: The job was rejected or has failed, or the pool is closed.
        """
        if self._is_closed:
            raise self._jobs.refusal(Down.CLOSED)
        ticket = self._jobs.submit(job, time.monotonic())
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._futures[ticket] = future
        self._deliver()  # also jobs that were replaced or made room
        if not future.done():
            self.prepare()
            self._supervisor.wake()
        try:
            return await future
        finally:
            if self._futures.pop(ticket, None) is not None:
                self._jobs.cancel(ticket)
            if not self._futures:
                self._is_idle.set()

    def refuse_when_down(self) -> None:
        """Reject a job that the workers cannot do.

        Raises:
            AuricleError: The pool is closed, or its workers cannot start.
        """
        if self._is_closed:
            raise self._jobs.refusal(Down.CLOSED)
        if not self._can_start:
            raise self._jobs.refusal(Down.CANNOT_START)

    @property
    def is_ready(self) -> bool:
        """Whether jobs are done; lazy workers may not have been started."""
        return self._can_start if self._is_lazy else self._supervisor.ready > 0

    def stats(self) -> Stats:
        """Return a snapshot of the current state; cheap, never waits."""
        is_started = self._is_wanted.is_set() or not self._is_lazy
        return Stats(
            workers=self._supervisor.stats() if is_started else (),
            ready=self.is_ready and not self._is_draining,
            queue=self._jobs.queue(),
            jobs=replace(self._jobs.counters),
            replaced=self._supervisor.replaced,
            model=self._model,
        )

    # SupervisorDelegate.

    def workers_changed(self, ready: int) -> None:
        """Report the number of workers to the schedule."""
        self._jobs.ready_workers = ready

    def became_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Report what a worker has measured to the schedule."""
        self._jobs.worker_ready(worker, message, now)

    def next_assignment(self, worker: str, now: float) -> Assignment | None:
        """Return the next work."""
        assignment = self._jobs.next_work(worker, now)
        self._deliver()
        return assignment

    def received(self, worker: str, result: Any, now: float) -> None:
        """Deliver the results of a worker's work to the callers."""
        self._jobs.done(worker, result, now)
        self._deliver()

    def died(self, worker: str, exit: ProcessExit, reason: str, now: float) -> None:
        """Repeat or fail the work of a worker that died."""
        death = Death(reason, exit.signal, exit.signature)
        suspect, poison = self._jobs.suspect(worker), self._jobs.counters.poison
        self._jobs.worker_died(worker, death, now)
        if suspect is not None and death.is_blamed and not death.is_orderly:
            is_poison = self._jobs.counters.poison > poison
            self.keep_audio(worker, suspect, exit, reason, is_poison=is_poison)
        self._deliver()

    def poll(self, now: float) -> float:
        """Fail what is late; return when the next call is due."""
        due_at = self._jobs.poll(now)
        self._deliver()
        return due_at

    def keep_audio(
        self, worker: str, ticket: Any, exit: ProcessExit, reason: str, *, is_poison: bool
    ) -> None:
        """Keep the audio that crashed a worker, if this kind does and the operator wants it."""

    # Internals.

    @property
    def _can_start(self) -> bool:
        return self._supervisor.start_error is None or self._supervisor.ready > 0

    async def _run(self) -> None:
        await self._is_wanted.wait()
        await self._supervisor.run()

    def _deliver(self) -> None:
        jobs = self._jobs
        while jobs.outcomes:
            ticket, outcome = jobs.outcomes.popleft()
            deliver(self._futures.pop(ticket, None), outcome)
        while jobs.notices:
            self._supervisor.tell(*jobs.notices.popleft())

    def _close(self, down: Down) -> None:
        self._is_draining = self._is_closed = True
        self._jobs.fail_all(down)
        self._deliver()

    def _driver_ended(self, driver: asyncio.Task[None]) -> None:
        """Fail all jobs if a bug ended the driver, so that no caller waits forever."""
        if driver.cancelled() or (error := driver.exception()) is None:
            return
        self._close(Down.ENDED)
        log_safely(
            log.critical,
            "pool_ended",
            pool=self._name,
            error=type(error).__name__,
            exc_info=error,
        )
