"""TurnPool: a TurnJudge on local processes.

An utterance never fails because its end can't be judged: every failure is ``TurnsUnavailable``,
and silence ends the utterance. So a job is never repeated.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from auricle.config.environment import worker_environment
from auricle.config.settings import TurnSettings, WorkerSettings
from auricle.values.errors import TurnsUnavailable, WorkerError
from auricle.values.transcriber import Counters, QueueStats, Stats
from auricle.values.types import TurnJob
from auricle.workers.delivery import deliver
from auricle.workers.kinds.turns.model_file import BUNDLED_MODEL
from auricle.workers.process.launch import confined_program, hard_limit_bytes
from auricle.workers.process.messages import (
    MAX_START_ANSWER_BYTES,
    JudgeTurn,
    Message,
    StartModel,
    ToParent,
    TurnJudged,
    WorkerReady,
)
from auricle.workers.process.process import ProcessExit
from auricle.workers.process.supervisor import (
    DUMP_MARGIN,
    Assignment,
    CrewOnDemand,
    WorkerSupervisor,
)

CHILD = "auricle.workers.kinds.turns.child"
MAX_WAITING = 64
"""Waiting jobs; a job has at most 0.25 MB of audio, and a worker does 20 a second."""
OVERDUE_SHARE = 0.3
"""A job is reported as overdue after this share of its budget."""
THREADS = 1
"""Threads of a worker; two threads need more processor time for the same work."""


@dataclass(slots=True, eq=False)
class _Ticket:
    number: int
    job: TurnJob
    deadline_at: float
    future: asyncio.Future[float]


class TurnPool:
    """Judge ends of turns in worker processes, which the first job starts.

    Call :meth:`start` once, from the event loop that uses the pool, and :meth:`aclose` at the end.

    Args:
        worker: Budgets, limits and backoff of workers.
        settings: Number of workers, at least 1.
    """

    def __init__(self, worker: WorkerSettings, settings: TurnSettings) -> None:
        self._worker = worker
        self._crew = WorkerSupervisor(
            "turn", settings.turn_workers, worker, worker_environment(THREADS), self
        )
        self._counters = Counters()
        self._numbers = itertools.count(1)
        self._waiting: deque[_Ticket] = deque()
        self._running: dict[str, _Ticket] = {}
        self._workers = CrewOnDemand("turn", self._crew, self._ended)
        self._is_closed = False

    async def start(self) -> None:
        """Accept jobs; the first one starts the workers."""
        self._workers.start()

    async def aclose(self) -> None:
        """Fail all jobs and stop the workers."""
        self._close("the server is shutting down")
        await self._workers.aclose()

    def prepare(self) -> None:
        """Start the workers, which takes about a second."""
        self._workers.want()

    async def judge(self, job: TurnJob) -> float:
        """Return the probability of a finished turn; see :class:`.TurnJudge`.

        Raises:
            TurnsUnavailable: There is no answer within the job's deadline.
        """
        if self._is_closed:
            raise self._refused("the server is shutting down")
        if not self._workers.can_start:
            raise self._refused("turn workers cannot start")
        if len(self._waiting) >= MAX_WAITING:
            raise self._refused("too many turns are waiting")
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        deadline_at = time.monotonic() + job.max_wait_s
        ticket = _Ticket(next(self._numbers), job, deadline_at, future)
        self._waiting.append(ticket)
        self._workers.want()
        self._crew.wake()
        try:
            return await future
        finally:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def stats(self) -> Stats:
        """Return a snapshot of the current state; cheap, never waits.

        It is ready while jobs are accepted, even before the first one has started the workers.
        """
        return Stats(
            workers=self._workers.stats(),
            ready=not self._is_closed and self._workers.can_start,
            queue=QueueStats(len(self._waiting), len(self._running)),
            jobs=replace(self._counters),
            replaced=self._crew.replaced,
            model=BUNDLED_MODEL.stem,
        )

    # SupervisorDelegate.

    def program(self) -> Sequence[str]:
        """Return the worker program, sandboxed to the model's file."""
        return confined_program(CHILD, self._worker, [str(BUNDLED_MODEL)])

    def start_message(self, slot: int) -> Message:
        """Return the model that a new worker loads."""
        return StartModel(str(BUNDLED_MODEL), THREADS, hard_limit_bytes(self._worker))

    def workers_changed(self, ready: int) -> None:
        """Nothing depends on the number of workers."""

    def became_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Nothing depends on the warm-up."""

    def next_assignment(self, worker: str, now: float) -> Assignment | None:
        """Return the oldest job."""
        if not self._waiting:
            return None
        ticket = self._running[worker] = self._waiting.popleft()
        budget_s = self._worker.job_timeout_min_s
        message = JudgeTurn(ticket.number, ticket.job.pcm.data.cast("B"), budget_s * DUMP_MARGIN)
        return Assignment(message, MAX_START_ANSWER_BYTES, budget_s, OVERDUE_SHARE * budget_s)

    def received(self, worker: str, message: ToParent, now: float) -> None:
        """Deliver the probability."""
        ticket = self._running[worker]
        if not isinstance(message, TurnJudged) or message.id != ticket.number:
            raise WorkerError("answer does not match the turn")
        del self._running[worker]
        self._counters.done += not ticket.future.done()
        deliver(ticket.future, message.probability)

    def died(self, worker: str, exit: ProcessExit, reason: str, now: float) -> None:
        """Fail the job of a worker that died, and all if no worker can start."""
        if (ticket := self._running.pop(worker, None)) is not None:
            self._fail(ticket, "the worker has died")
        if reason == "start" and not self._crew.ready:
            self._fail_waiting("turn workers cannot start")

    def poll(self, now: float) -> float:
        """Fail the jobs whose deadline has passed; return the next deadline."""
        for ticket in (*self._waiting, *self._running.values()):
            if ticket.deadline_at <= now:
                self._fail(ticket, "the deadline has passed")
        waiting = (*self._waiting, *self._running.values())
        deadlines = (ticket.deadline_at for ticket in waiting if not ticket.future.done())
        return min(deadlines, default=float("inf"))

    # Internals.

    def _refused(self, reason: str) -> TurnsUnavailable:
        self._counters.refused += 1
        return TurnsUnavailable(reason)

    def _fail(self, ticket: _Ticket, reason: str) -> None:
        self._counters.failed += not ticket.future.done()
        deliver(ticket.future, TurnsUnavailable(reason))
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def _fail_waiting(self, reason: str) -> None:
        for ticket in tuple(self._waiting):
            self._fail(ticket, reason)

    def _close(self, reason: str) -> None:
        self._is_closed = True
        self._fail_waiting(reason)
        for ticket in self._running.values():
            self._fail(ticket, reason)

    def _ended(self) -> None:
        self._close("the pool of turns has ended")
