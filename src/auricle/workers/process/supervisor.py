"""Supervise child processes of one kind: start, watch, replace and restart them.

The supervisor knows nothing of jobs. Its delegate (:class:`SupervisorDelegate`) assigns work to
idle workers and receives the results. Everything runs on one event loop, so each event is handled
in one step: when a worker dies, the delegate requeues its work before the next event.
"""

import asyncio
import itertools
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import anyio.abc
import structlog

from auricle.config.sections.worker import WorkerSettings
from auricle.system.logs import log_safely
from auricle.values.errors import WorkerError
from auricle.values.transcriber import WorkerExit, WorkerState, WorkerStats
from auricle.workers.process.assignment import ORDERLY, Assignment
from auricle.workers.process.launch import HARD_MEMORY_BYTES, Launch
from auricle.workers.process.policy import Action, WorkerPolicy
from auricle.workers.process.process import ProcessExit, WorkerProcess
from auricle.workers.process.usage import ProcessUsage, UsageWatch
from auricle.workers.wire.messages import (
    FromChild,
    Message,
    StartFailed,
    StopWorker,
    Submit,
    WorkDone,
    WorkerReady,
)

TICK_S = 1.0
"""Maximum interval between two checks of usage and policies."""
STOP_GRACE_S = 5.0
"""Time from the stop message to the kill."""
SOFT_MEMORY_BYTES = 700 * 10**6
"""Growth over the memory in use once ready, above which a worker is replaced."""
DUMP_MARGIN = 0.9
"""The child dumps its stack at this fraction of its budget, before it is killed."""

log = structlog.get_logger(__name__)


class SupervisorDelegate(Protocol):
    """Owner of a supervisor. No method may block."""

    def workers_changed(self, ready: int) -> None:
        """Handle a change in the number of workers that are ready or busy."""
        ...

    def became_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Handle a worker that has loaded."""
        ...

    def next_assignment(self, worker: str, now: float) -> Assignment | None:
        """Return work for an idle worker, or ``None``."""
        ...

    def received(self, worker: str, result: Any, now: float) -> None:
        """Handle the result of a worker's assignment.

        Raises:
            WorkerError: The result cannot be that of the assignment; the worker is killed.
        """
        ...

    def died(self, worker: str, exit: ProcessExit, reason: str, now: float) -> None:
        """Handle the exit of a worker; its assignment is lost."""
        ...

    def poll(self, now: float) -> float:
        """Handle timeouts; return the time of the next call (infinity: none is needed)."""
        ...


@dataclass(slots=True)
class _Worker:
    id: str
    slot: int
    policy: WorkerPolicy
    replaces: "str | None" = None
    process: WorkerProcess | None = None
    is_retiring: bool = False
    work_id: int = 0
    kill_reason: str = "exited"
    jobs_done: int = 0
    jobs_since_start: int = 0
    rss_bytes: int = 0
    ready_rss_bytes: int = 0
    worked_at: float = float("-inf")
    last_exit: WorkerExit | None = None
    usage: UsageWatch | None = None
    max_pause_s: float = math.inf


class WorkerSupervisor:
    """Keep ``size`` workers running and give them work from their owner.

    Args:
        name: Prefix of worker IDs.
        size: Number of workers.
        settings: Budgets, limits and backoff.
        launch: How they are started.
        delegate: Their owner.
    """

    def __init__(
        self,
        name: str,
        size: int,
        settings: WorkerSettings,
        launch: Launch,
        delegate: SupervisorDelegate,
    ) -> None:
        self._name = name
        self._settings = settings
        self._launch = launch
        self._delegate = delegate
        self._ids = itertools.count(1)
        self._work_ids = itertools.count(1)
        self._workers = [self._new_worker(slot) for slot in range(size)]
        self._changed = asyncio.Event()
        self._looked_at = 0.0
        self.replaced = 0
        self._unconfined: tuple[str, ...] = ()
        self.start_error: str | None = None
        """Reason for the latest failed start, for the operator; ``None`` once a start succeeds."""

    def wake(self) -> None:
        """Check for work for idle workers."""
        self._changed.set()

    @property
    def ready(self) -> int:
        """Number of workers that are ready or busy."""
        return sum(worker.policy.state.is_up for worker in self._workers)

    @property
    def start_estimate_s(self) -> float:
        """Longest measured start, in seconds; 3 s before the first one."""
        took_s = [w.policy.start_took_s for w in self._workers if w.policy.start_took_s]
        return max(took_s, default=3.0)

    def has_worked_since(self, moment: float) -> bool:
        """Return whether a live worker became ready or finished work at ``moment`` or later."""
        up = (w for w in self._workers if w.policy.state.is_up)
        return any(worker.worked_at >= moment for worker in up)

    def tell(self, worker_id: str, message: Message) -> None:
        """Send a message that has no answer, if this worker is running."""
        for worker in self._workers:
            if worker.id == worker_id and worker.process is not None:
                worker.process.send(message)

    def stats(self) -> tuple[WorkerStats, ...]:
        """Return the state of each worker for ``/health``."""
        now = time.monotonic()
        return tuple(
            WorkerStats(
                id=worker.id,
                pid=worker.process.pid if worker.process else None,
                state=worker.policy.state,
                restarts=max(0, worker.policy.starts - 1),
                jobs_done=worker.jobs_done,
                rss_bytes=worker.rss_bytes,
                last_exit=worker.last_exit,
                overdue=worker.policy.is_overdue(now),
            )
            for worker in self._workers
        )

    async def run(self) -> None:
        """Supervise the workers until cancelled; then stop and reap every child."""
        async with anyio.create_task_group() as lives:
            try:
                while True:
                    self._changed.clear()
                    now = time.monotonic()
                    wake_at = self._step(lives, now)
                    with anyio.move_on_after(max(0.0, wake_at - now)):
                        await self._changed.wait()
            finally:
                with anyio.CancelScope(shield=True):
                    await self._stop_all()
                lives.cancel_scope.cancel()

    def _new_worker(self, slot: int, replaces: str | None = None) -> _Worker:
        settings = self._settings
        policy = WorkerPolicy(
            settings.start_budget_s, settings.backoff_first_s, settings.backoff_max_s
        )
        return _Worker(f"{self._name}-{next(self._ids)}", slot, policy, replaces)

    def _step(self, lives: anyio.abc.TaskGroup, now: float) -> float:
        """Handle everything that is due; return when the next step is due."""
        if now - self._looked_at >= TICK_S:
            self._looked_at = now
            self._look_at_usage(now)
        wake_at = now + TICK_S
        for worker in list(self._workers):
            match worker.policy.poll(now):
                case Action.SPAWN:
                    worker.policy.spawned(now)
                    lives.start_soon(self._live, worker)
                case Action.KILL:
                    self._kill(worker, worker.policy.kill_reason or "hung")
                case None:
                    pass
        self._replace_one()
        wake_at = min(wake_at, self._delegate.poll(now))
        for worker in list(self._workers):
            if worker.policy.state is WorkerState.READY:
                self._give_work(worker, now)
            if worker.policy.wake_at is not None:
                wake_at = min(wake_at, worker.policy.wake_at)
        return wake_at

    def _give_work(self, worker: _Worker, now: float) -> None:
        try:
            self._employ(worker, now)
        except Exception as exc:  # kill this worker only; the supervisor continues
            log_safely(log.error, "worker_assignment_failed", worker=worker.id, exc_info=exc)
            self._kill(worker, "protocol")

    def _employ(self, worker: _Worker, now: float) -> None:
        assert worker.process is not None
        if worker.is_retiring:
            worker.kill_reason = "replaced"
            worker.process.send(StopWorker())
            worker.policy.stopping(kill_at=now + STOP_GRACE_S)
            self._delegate.workers_changed(self.ready)
        elif assignment := self._delegate.next_assignment(worker.id, now):
            worker.process.forget_stderr()
            worker.process.max_message_bytes = assignment.max_answer_bytes
            worker.policy.batch_started(now, assignment.budget_s, assignment.overdue_s)
            worker.max_pause_s = assignment.max_pause_s
            worker.work_id = next(self._work_ids)
            dump_after_s = assignment.budget_s * DUMP_MARGIN
            submit = Submit(worker.work_id, dump_after_s, assignment.work)
            worker.process.send(submit, assignment.file)

    async def _live(self, worker: _Worker) -> None:
        """Run a worker from spawn to exit; an error affects only this worker."""
        worker.kill_reason, worker.jobs_since_start = "exited", 0
        exit = ProcessExit(None, None, ())
        try:
            exit = await self._run(worker)
        except OSError as exc:
            log_safely(log.error, "worker_not_started", worker=worker.id, error=type(exc).__name__)
        except Exception as exc:
            worker.kill_reason = "protocol"
            log_safely(log.error, "worker_given_up", worker=worker.id, exc_info=exc)
        self._after_exit(worker, exit)

    async def _run(self, worker: _Worker) -> ProcessExit:
        with anyio.CancelScope(shield=True):  # an unregistered child is never reaped
            launch = self._launch
            process = await WorkerProcess.spawn(
                launch.program(), launch.environment, launch.answers, gets_files=launch.gets_files
            )
        worker.process = process
        try:
            process.send(launch.start_message(worker.slot))
        except Exception as exc:  # such as a model path that is not valid Unicode
            log_safely(log.error, "worker_message_not_sent", worker=worker.id, exc_info=exc)
            process.kill()
        exit = await process.run(lambda message: self._on_message(worker, message))
        if process.protocol_error:
            worker.kill_reason = "protocol"
        return exit

    def _on_message(self, worker: _Worker, message: FromChild) -> None:
        now = time.monotonic()
        try:
            match worker.policy.state, message:
                case WorkerState.STARTING, WorkerReady():
                    self._on_ready(worker, message, now)
                case WorkerState.STARTING, StartFailed():
                    worker.kill_reason = "start"
                    self.start_error = message.message
                    log_safely(
                        log.error, "worker_start_failed", worker=worker.id, reason=message.message
                    )
                case WorkerState.BUSY, WorkDone() if message.id == worker.work_id:
                    self._delegate.received(worker.id, message.result, now)
                    worker.policy.batch_finished()
                    worker.worked_at = now
                    worker.jobs_done += 1
                    worker.jobs_since_start += 1
                case WorkerState.STOPPING, _:
                    pass  # a late answer, after the worker was given up
                case _:
                    raise WorkerError("unexpected answer")
        except WorkerError:
            self._kill(worker, "protocol")
        self.wake()

    def _on_ready(self, worker: _Worker, message: WorkerReady, now: float) -> None:
        worker.policy.ready(now)
        worker.worked_at = now
        worker.rss_bytes = worker.ready_rss_bytes = message.rss_bytes
        usage = worker.process and ProcessUsage.of(worker.process.pid)
        worker.usage = UsageWatch(usage) if usage else None
        self.start_error = None
        if worker.replaces is not None:
            for old in self._workers:
                old.is_retiring |= old.id == worker.replaces
            worker.replaces = None
            self.replaced += 1
        self._delegate.workers_changed(self.ready)
        self._delegate.became_ready(worker.id, message, now)
        if message.unconfined not in ((), self._unconfined):  # log once, not at every start
            self._unconfined = message.unconfined
            log_safely(log.warning, "workers_not_kept_from", what=list(message.unconfined))
        log_safely(
            log.info,
            "worker_ready",
            worker=worker.id,
            pid=worker.process.pid if worker.process else None,
            start_ms=round(worker.policy.start_took_s * 1000),
            rss_mb=round(message.rss_bytes / 1e6),
        )

    def _kill(self, worker: _Worker, reason: str) -> None:
        worker.kill_reason = reason
        worker.policy.stopping()
        if worker.process is not None:
            worker.process.kill()
        self._delegate.workers_changed(self.ready)

    def _after_exit(self, worker: _Worker, exit: ProcessExit) -> None:
        now = time.monotonic()
        pid = worker.process.pid if worker.process else None
        worker.process = None
        worker.last_exit = WorkerExit(
            time.time(), exit.signal, exit.code, worker.kill_reason, exit.stack
        )
        if worker.is_retiring:
            self._workers.remove(worker)
        else:
            worker.policy.exited(now, random.random())
        self._delegate.workers_changed(self.ready)
        self._delegate.died(worker.id, exit, worker.kill_reason, now)
        log_safely(
            log.info if worker.kill_reason in ORDERLY else log.warning,
            "worker_exited",
            worker=worker.id,
            pid=pid,
            reason=worker.kill_reason,
            budget_s=round(worker.policy.budget_s, 1),
            signal=exit.signal,
            code=exit.code,
            frames=list(exit.stack[:5]),
            stderr_dropped_bytes=exit.dropped_bytes,
        )
        self.wake()

    def _replace_one(self) -> None:
        """Start a replacement for one worker that has reached its job or memory limit."""
        if any(worker.replaces or worker.is_retiring for worker in self._workers):
            return
        settings = self._settings
        for worker in self._workers:
            if not worker.policy.state.is_up:
                continue
            soft_bytes = settings.worker_soft_mb * 1e6 or worker.ready_rss_bytes + SOFT_MEMORY_BYTES
            if worker.jobs_since_start >= settings.worker_max_jobs or worker.rss_bytes > soft_bytes:
                self._workers.append(self._new_worker(worker.slot, replaces=worker.id))
                self.wake()
                return

    def _look_at_usage(self, now: float) -> None:
        for worker in self._workers:
            usage = worker.process and ProcessUsage.of(worker.process.pid)
            if not usage:
                continue
            worker.rss_bytes = usage.rss_bytes
            if not worker.policy.state.is_up:
                continue
            hard_bytes = self._settings.worker_hard_mb * 1e6
            if not hard_bytes:
                hard_bytes = worker.ready_rss_bytes + HARD_MEMORY_BYTES
            is_idle, worked_at = worker.policy.state is WorkerState.READY, worker.worked_at
            if worker.rss_bytes > hard_bytes:
                self._kill(worker, "memory")
            elif worker.usage and (
                reason := worker.usage.judge(
                    usage,
                    is_idle=is_idle,
                    worked_at=worked_at,
                    now=now,
                    max_pause_s=worker.max_pause_s,
                )
            ):
                self._kill(worker, reason)

    async def _stop_all(self) -> None:
        for worker in self._with_process():
            assert worker.process is not None
            is_starting, worker.is_retiring = worker.policy.state is WorkerState.STARTING, True
            worker.kill_reason = "stopped"
            worker.process.send(StopWorker())
            worker.policy.stopping()
            if is_starting:  # it has no work, and reads no message before its model is loaded
                worker.process.kill()
        with anyio.move_on_after(STOP_GRACE_S):
            while any(self._with_process()):
                self._changed.clear()
                await self._changed.wait()
        for worker in self._with_process():
            self._kill(worker, "stopped")

    def _with_process(self) -> Iterator[_Worker]:
        return (worker for worker in list(self._workers) if worker.process is not None)
