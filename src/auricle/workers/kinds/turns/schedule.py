"""Decide which end of a turn is judged next. No I/O, no clock.

An utterance never fails because its end can't be judged: every failure is ``TurnsUnavailable``,
and silence ends the utterance. So a job is never repeated.
"""

import math
from collections import deque
from dataclasses import dataclass

from auricle.values.errors import TurnsUnavailable
from auricle.values.transcriber import QueueStats
from auricle.values.types import TurnJob
from auricle.workers.kinds.turns.messages import JudgeTurn, TurnJudged
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.schedule import Down, Schedule
from auricle.workers.wire.messages import MAX_START_ANSWER_BYTES

MAX_WAITING = 64
"""Waiting jobs; a job has at most 0.25 MB of audio, and a worker does 20 a second."""
OVERDUE_SHARE = 0.3
"""A job is reported as overdue after this share of its budget."""
_REASONS = {
    Down.CLOSED: "the server is shutting down",
    Down.CANNOT_START: "turn workers cannot start",
    Down.ENDED: "the pool of turns has ended",
}


@dataclass(slots=True, eq=False)
class _Ticket:
    job: TurnJob
    deadline_at: float
    is_settled: bool = False


class TurnSchedule(Schedule[TurnJob, float]):
    """First in, first out.

    Args:
        budget_s: Time after which a worker is killed.
    """

    def __init__(self, budget_s: float) -> None:
        super().__init__()
        self._budget_s = budget_s
        self._waiting: deque[_Ticket] = deque()
        self._running: dict[str, _Ticket] = {}

    def queue(self) -> QueueStats:
        """Return the jobs that wait and run."""
        return QueueStats(len(self._waiting), len(self._running))

    def submit(self, job: TurnJob, now: float) -> _Ticket:
        """Accept a job.

        Raises:
            TurnsUnavailable: Too many jobs are waiting.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise self._refused("too many turns are waiting")
        ticket = _Ticket(job, now + job.max_wait_s)
        self._waiting.append(ticket)
        return ticket

    def cancel(self, ticket: _Ticket) -> None:
        """Remove a job if it waits, ignore its result if it runs."""
        ticket.is_settled = True
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def next_work(self, worker: str, now: float) -> Assignment | None:
        """Return the oldest job."""
        if not self._waiting:
            return None
        ticket = self._running[worker] = self._waiting.popleft()
        work = JudgeTurn(ticket.job.pcm.data.cast("B"))
        overdue_s = OVERDUE_SHARE * self._budget_s
        return Assignment(work, MAX_START_ANSWER_BYTES, self._budget_s, overdue_s)

    def done(self, worker: str, result: TurnJudged, now: float) -> None:
        """Record the probability."""
        ticket = self._running.pop(worker)
        self.counters.done += not ticket.is_settled
        ticket.is_settled = True
        self.outcomes.append((ticket, result.probability))

    def worker_died(self, worker: str, death: Death, now: float) -> None:
        """Fail the job of a worker that died, and all if no worker can start."""
        if (ticket := self._running.pop(worker, None)) is not None:
            self._fail(ticket, "the worker has died")
        if death.reason == "start" and not self.ready_workers:
            for waiting in tuple(self._waiting):
                self._fail(waiting, _REASONS[Down.CANNOT_START])

    def fail_all(self, down: Down) -> None:
        """Fail all jobs."""
        for ticket in (*self._waiting, *self._running.values()):
            self._fail(ticket, _REASONS[down])

    def refusal(self, down: Down) -> TurnsUnavailable:
        """Return the error for a new job."""
        return self._refused(_REASONS[down])

    def poll(self, now: float) -> float:
        """Fail the jobs whose deadline has passed; return the next deadline."""
        due_at = math.inf
        for ticket in (*self._waiting, *self._running.values()):
            if ticket.deadline_at <= now:
                self._fail(ticket, "the deadline has passed")
            elif not ticket.is_settled:
                due_at = min(due_at, ticket.deadline_at)
        return due_at

    # Internals.

    def _refused(self, reason: str) -> TurnsUnavailable:
        self.counters.refused += 1
        return TurnsUnavailable(reason)

    def _fail(self, ticket: _Ticket, reason: str) -> None:
        self.counters.failed += not ticket.is_settled
        self.cancel(ticket)
        self.outcomes.append((ticket, TurnsUnavailable(reason)))
