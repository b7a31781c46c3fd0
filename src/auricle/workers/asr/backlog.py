"""Jobs in the pool, and the backlog of all of them. No I/O, no clock."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from auricle.types import ClientId, Job, JobKind, Options
from auricle.workers.asr.fair_queue import FairQueue


@dataclass(slots=True, eq=False)
class Ticket:
    """One job in the pool.

    ``attempts`` counts how often it was assigned to a worker; ``started_at`` is the latest time.
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
        """Client whose queue share the job uses."""
        return self.job.client

    @property
    def audio_s(self) -> float:
        """Duration of the audio, in seconds."""
        return self.job.audio_s


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs for one worker, with their time budget and the time after which they are overdue."""

    tickets: tuple[Ticket, ...]
    budget_s: float
    overdue_s: float = math.inf


class Backlog:
    """Waiting jobs by kind and client, and running batches by worker."""

    def __init__(self) -> None:
        self.queues: dict[JobKind, FairQueue[Ticket]] = {kind: FairQueue() for kind in JobKind}
        self.running: dict[str, Batch] = {}

    def waiting(self) -> Iterator[Ticket]:
        """Yield the waiting tickets, most urgent kind first."""
        return itertools.chain.from_iterable(self.queues.values())

    def in_flight(self) -> Iterator[Ticket]:
        """Yield the running tickets."""
        return itertools.chain.from_iterable(batch.tickets for batch in self.running.values())

    @property
    def waiting_jobs(self) -> int:
        """Number of waiting jobs."""
        return sum(map(len, self.queues.values()))

    @property
    def waiting_audio_s(self) -> float:
        """Waiting audio, in seconds."""
        return sum(ticket.audio_s for ticket in self.waiting())

    def waiting_partial(self, newer: Job) -> Ticket | None:
        """Return the waiting partial of the same utterance, which ``newer`` replaces."""
        key = newer.client, newer.utterance
        partials = self.queues[JobKind.PARTIAL]
        return next((t for t in partials if (t.client, t.job.utterance) == key), None)

    def remove(self, ticket: Ticket) -> bool:
        """Remove a ticket from its queue; return whether it was waiting."""
        return self.queues[ticket.job.kind].remove(ticket)


def batch_class(job: Job, length_step_s: float) -> tuple[Options, int]:
    """Return the options and length class that all jobs of a batch must share.

    Prefixes may differ. Chunks of files have one class: the scheduler picks them by length.
    """
    length_class = 0 if job.kind is JobKind.FILE else int(job.audio_s // length_step_s)
    return replace(job.options, prefix_tokens=()), length_class
