"""Jobs in the pool, and the backlog of all of them. No I/O, no clock."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from auricle.engines.base import BatchRules
from auricle.values.types import ClientId, Job, JobKind, Options
from auricle.workers.fair_queue import FairQueue


@dataclass(slots=True, eq=False)
class Ticket:
    """One job in the pool.

    A job that has not started at ``start_by`` fails. ``attempts`` counts how often it was assigned
    to a worker; ``started_at`` is the latest time.
    """

    job: Job
    submitted_at: float
    deadline_at: float
    start_by: float = inf
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

    def waiting_early(self, final: Job) -> Ticket | None:
        """Return the waiting speculative final of the same utterance, which ``final`` replaces."""
        key = final.client, final.utterance
        early = self.queues[JobKind.SPECULATIVE]
        return next((t for t in early if (t.client, t.job.utterance) == key), None)

    def remove(self, ticket: Ticket) -> bool:
        """Remove a ticket from its queue; return whether it was waiting."""
        return self.queues[ticket.job.kind].remove(ticket)


def is_early(early: Job, final: Job) -> bool:
    """Return whether the result of a speculative job is that of a final."""
    kinds = early.kind is JobKind.SPECULATIVE and final.kind is JobKind.FINAL
    return (
        kinds
        and early.utterance == final.utterance
        and early.options == final.options
        and np.array_equal(early.pcm, final.pcm)
    )


def batch_class(job: Job, rules: BatchRules) -> tuple[Options, int]:
    """Return the options and length class that all jobs of a batch must share.

    Prefixes may differ. Chunks of files have one class: the scheduler picks them by length.
    """
    length_class = 0 if job.kind is JobKind.FILE else rules.length_class(job.audio_s)
    return replace(job.options, prefix_tokens=()), length_class
