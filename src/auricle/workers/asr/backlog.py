"""A job on its way through the pool, and the backlog of all of them. No I/O, no clock."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from auricle.transcriber import JOB_OVERHEAD_S
from auricle.types import ClientId, Job, JobKind, Options
from auricle.workers.asr.fair_queue import FairQueue

BATCH_CLASS_STEP_S = 5.0
"""Jobs within one such step of length go together: a short one doesn't wait for a long one."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One job on its way through the pool.

    ``attempts`` counts the times that it was given to a worker; ``started_at`` is the latest.
    """

    job: Job
    submitted_at: float
    deadline_at: float
    attempts: int = 0
    started_at: float = 0.0
    alone: bool = False
    is_settled: bool = False

    @property
    def client(self) -> ClientId:
        """Whose share of the queue it uses."""
        return self.job.client

    @property
    def audio_s(self) -> float:
        """The audio's length."""
        return self.job.audio_s

    @property
    def load_s(self) -> float:
        """What it costs a worker, in seconds of audio."""
        return self.job.audio_s + JOB_OVERHEAD_S


@dataclass(frozen=True, slots=True)
class Batch:
    """What one worker is to do now, when it is overdue, and for how long it may."""

    tickets: tuple[Ticket, ...]
    budget_s: float
    overdue_s: float = math.inf


class Backlog:
    """What waits, by kind and client, and what runs, by worker."""

    def __init__(self) -> None:
        self.queues: dict[JobKind, FairQueue[Ticket]] = {kind: FairQueue() for kind in JobKind}
        self.running: dict[str, Batch] = {}

    def waiting(self) -> Iterator[Ticket]:
        """Yield the tickets in the queue, most urgent kind first."""
        return itertools.chain.from_iterable(self.queues.values())

    def in_flight(self) -> Iterator[Ticket]:
        """Yield the tickets at the workers."""
        return itertools.chain.from_iterable(batch.tickets for batch in self.running.values())

    @property
    def waiting_jobs(self) -> int:
        """Jobs in the queue."""
        return sum(map(len, self.queues.values()))

    @property
    def waiting_audio_s(self) -> float:
        """Seconds of audio in the queue."""
        return sum(ticket.audio_s for ticket in self.waiting())

    def waiting_partial(self, newer: Job) -> Ticket | None:
        """Return the waiting partial that a newer one of its utterance makes superfluous."""
        wanted = newer.client, newer.utterance
        partials = self.queues[JobKind.PARTIAL]
        return next((t for t in partials if (t.client, t.job.utterance) == wanted), None)

    def remove(self, ticket: Ticket) -> bool:
        """Take a ticket out of its queue; return whether it was waiting."""
        return self.queues[ticket.job.kind].remove(ticket)


def batch_class(job: Job) -> tuple[Options, int]:
    """Return what jobs must have in common to share a batch: options and length class.

    Prefixes may differ. Files have one class, since the scheduler picks among them by length.
    """
    length_class = 0 if job.kind is JobKind.FILE else int(job.audio_s // BATCH_CLASS_STEP_S)
    return replace(job.options, prefix_tokens=()), length_class
