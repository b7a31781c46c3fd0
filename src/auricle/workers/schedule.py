"""What each kind of workers decides for itself: which job is next, where, and what comes of it."""

import enum
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

from auricle.values.errors import AuricleError, Draining
from auricle.values.transcriber import Counters, QueueStats
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.wire.messages import Message, WorkerReady

J = TypeVar("J")
R = TypeVar("R")


class Down(enum.Enum):
    """Why a pool does no jobs."""

    CLOSED = "closed"
    CANNOT_START = "cannot start"
    ENDED = "ended"
    """A bug has ended it."""


class Schedule(ABC, Generic[J, R]):
    """The jobs of a pool. No I/O, no clock: arguments named ``now`` are monotonic seconds.

    A job that was submitted has a ticket, which only the schedule looks into. After each call, the
    pool delivers what was appended to ``outcomes`` and ``notices``.

    Attributes:
        counters: Number of jobs by outcome.
        outcomes: Tickets that ended, with their results or errors.
        notices: Messages to workers that have no answer, by the worker's ID.
        ready_workers: Number of workers that are ready or busy; kept by the pool.
    """

    def __init__(self) -> None:
        self.counters = Counters()
        self.outcomes: deque[tuple[Any, R | AuricleError]] = deque()
        self.notices: deque[tuple[str, Message]] = deque()
        self.ready_workers = 0

    @abstractmethod
    def queue(self) -> QueueStats:
        """Return the jobs that wait and run."""

    @abstractmethod
    def submit(self, job: J, now: float) -> Hashable:
        """Accept a job and return its ticket.

        Raises:
            AuricleError: The job is rejected.
        """

    @abstractmethod
    def cancel(self, ticket: Any) -> None:
        """Drop a job whose caller has left: remove it if it waits, ignore its result if it runs."""

    @abstractmethod
    def next_work(self, worker: str, now: float) -> Assignment | None:
        """Return work for an idle worker, or ``None``."""

    @abstractmethod
    def done(self, worker: str, result: Any, now: float) -> None:
        """Validate the result of a worker's work, and record it.

        Raises:
            WorkerError: The result is impossible; nothing has changed, and the worker is killed.
        """

    @abstractmethod
    def worker_died(self, worker: str, death: Death, now: float) -> None:
        """Repeat or fail the work of a worker that died; it may have had none."""

    @abstractmethod
    def fail_all(self, down: Down) -> None:
        """Fail all jobs."""

    def suspect(self, worker: str) -> Any:
        """Return the ticket to blame if a worker dies now, for its audio; ``None`` if unknown."""
        return None

    def refusal(self, down: Down) -> AuricleError:
        """Return the error for a new job."""
        return Draining()

    def worker_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Handle a worker that has loaded."""

    def poll(self, now: float) -> float:
        """Fail what is late; return when the next call is due (infinity: none is needed)."""
        return math.inf
