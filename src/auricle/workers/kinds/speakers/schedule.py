"""Decide which stretches are embedded next. No I/O, no clock.

A job is done in steps of a few stretches, so that live speech never waits for a whole job of a
file. The step of a worker that dies is repeated, unless its audio is to blame.
"""

import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from auricle.speakers.stretches import MIN_STRETCH_SAMPLES
from auricle.values.errors import SpeakersUnavailable
from auricle.values.transcriber import Counters
from auricle.values.types import SAMPLE_RATE_HZ, ClientId, EmbedJob, Pcm16, SpeakerEmbeddings
from auricle.workers.fair_queue import FairQueue
from auricle.workers.kinds.speakers.fbank import is_silent
from auricle.workers.kinds.speakers.model_file import BUNDLED_DIMENSIONS

Stretch = tuple[int, int]

MAX_STEP_SAMPLES = 12 * SAMPLE_RATE_HZ
"""Stretches of a step together: 0.2 s of processor time, unless one stretch alone is longer."""
MAX_STRETCH_SAMPLES = 30 * SAMPLE_RATE_HZ
MAX_STRETCHES = 1000
"""Maximum stretches of a job."""
MAX_WAITING = 128
"""Waiting jobs, of live speech and of files each; a job has at most 1 MB of audio."""
MAX_WAIT_S = 600.0
"""Deadline of a job that has none."""


@dataclass(slots=True, eq=False)
class Ticket:
    """A job in the pool.

    ``number`` orders the jobs of a client; ``done`` counts the stretches whose embeddings are in
    ``vectors``.
    """

    number: int
    job: EmbedJob
    stretches: tuple[Stretch, ...]
    deadline_at: float
    done: int = 0
    vectors: list[np.ndarray] = field(default_factory=list)
    is_settled: bool = False

    @property
    def client(self) -> ClientId:
        """Client whose share is used."""
        return self.job.client

    @property
    def audio_s(self) -> float:
        """Audio of the next step, in seconds."""
        return sum(end - start for start, end in next_stretches(self)) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Step:
    """Stretches of a job for a worker; they are samples of ``pcm``."""

    ticket: Ticket
    pcm: Pcm16
    stretches: tuple[Stretch, ...]


class SpeakerSchedule:
    """The waiting jobs, and the step of each worker.

    After each call, drain :meth:`next_failure`.
    """

    def __init__(self) -> None:
        self._live: FairQueue[Ticket] = FairQueue()
        self._files: FairQueue[Ticket] = FairQueue()
        self._steps: dict[str, Step] = {}
        self._numbers = itertools.count(1)
        self._failures: list[tuple[Ticket, SpeakersUnavailable]] = []
        self.counters = Counters()

    @property
    def waiting(self) -> int:
        """Number of waiting jobs."""
        return len(self._live) + len(self._files)

    @property
    def running(self) -> int:
        """Number of running jobs."""
        return len(self._steps)

    def submit(self, job: EmbedJob, now: float) -> Ticket:
        """Accept a job.

        Raises:
            SpeakersUnavailable: Too many jobs are waiting.
            ValueError: A stretch is too long, or there are too many.
        """
        if len(job.stretches) > MAX_STRETCHES or any(
            end - start > MAX_STRETCH_SAMPLES for start, end in job.stretches
        ):
            raise ValueError("too many stretches, or a stretch that is too long")
        queue = self._queue(job)
        if len(queue) >= MAX_WAITING:
            self.counters.refused += 1
            raise SpeakersUnavailable("too many jobs wait for speaker workers")
        has_voice = tuple(each for each in job.stretches if _has_voice(job.pcm, each))
        max_wait_s = MAX_WAIT_S if job.max_wait_s is None else job.max_wait_s
        ticket = Ticket(next(self._numbers), job, has_voice, now + max_wait_s)
        if has_voice:
            queue.push(ticket)
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Remove a job if it waits, ignore its step if it runs."""
        ticket.is_settled = True
        self._queue(ticket.job).remove(ticket)

    def next_step(self, worker: str) -> Step | None:
        """Start and return the next step of an idle worker, or ``None``."""
        ticket = self._live.take(_fits, _rank) or self._files.take(_fits, _rank)
        if ticket is None:
            return None
        stretches = next_stretches(ticket)
        first = min(start for start, _ in stretches)
        pcm = ticket.job.pcm[first : max(end for _, end in stretches)]
        moved = tuple((start - first, end - first) for start, end in stretches)
        step = self._steps[worker] = Step(ticket, pcm, moved)
        return step

    def step_of(self, worker: str) -> Step | None:
        """Return the step that a worker is doing."""
        return self._steps.get(worker)

    def step_done(self, worker: str, vectors: np.ndarray) -> Ticket | None:
        """Record the embeddings of a worker's step; return its job if that is complete."""
        step = self._steps.pop(worker)
        ticket = step.ticket
        if ticket.is_settled:
            return None
        ticket.vectors.append(vectors)
        ticket.done += len(step.stretches)
        if ticket.done < len(ticket.stretches):
            self._queue(ticket.job).push(ticket)
            return None
        ticket.is_settled = True
        self.counters.done += 1
        return ticket

    def worker_died(self, worker: str, *, is_poison: bool) -> None:
        """Repeat the step of a worker that died, or fail its job if the audio is poison."""
        step = self._steps.pop(worker, None)
        if step is None or step.ticket.is_settled:
            return
        if not is_poison:
            self.counters.retried += 1
            self._queue(step.ticket.job).push_front(step.ticket)
        else:
            self.counters.poison += 1
            self._fail(step.ticket, "speaker workers died repeatedly while they worked on this job")

    def poll(self, now: float) -> float:
        """Fail the jobs whose deadline has passed; return the next deadline."""
        running = [step.ticket for step in self._steps.values()]
        ends_at = math.inf
        for ticket in [*self._live, *self._files, *running]:
            if ticket.is_settled:
                continue
            if now >= ticket.deadline_at:
                self._fail(ticket, "the deadline passed before the speakers were known")
            else:
                ends_at = min(ends_at, ticket.deadline_at)
        return ends_at

    def fail_all(self, reason: str) -> None:
        """Fail all jobs."""
        running = [step.ticket for step in self._steps.values()]
        for ticket in [*self._live, *self._files, *running]:
            if not ticket.is_settled:
                self._fail(ticket, reason)

    def next_failure(self) -> tuple[Ticket, SpeakersUnavailable] | None:
        """Return the oldest undelivered failure, once; ``None`` if there is none."""
        return self._failures.pop(0) if self._failures else None

    def _queue(self, job: EmbedJob) -> FairQueue[Ticket]:
        return self._live if job.is_live else self._files

    def _fail(self, ticket: Ticket, reason: str) -> None:
        self.cancel(ticket)
        self.counters.failed += 1
        self._failures.append((ticket, SpeakersUnavailable(reason)))


def result_of(ticket: Ticket) -> SpeakerEmbeddings:
    """Return the embeddings of a complete job."""
    none = np.zeros((0, BUNDLED_DIMENSIONS), np.float32)
    return SpeakerEmbeddings(ticket.stretches, np.concatenate(ticket.vectors or [none]))


def next_stretches(ticket: Ticket) -> tuple[Stretch, ...]:
    """Return the stretches of a job's next step; at least one."""
    rest = ticket.stretches[ticket.done :]
    count = samples = 0
    for start, end in rest:
        samples += end - start
        if count and samples > MAX_STEP_SAMPLES:
            break
        count += 1
    return rest[:count]


def _has_voice(pcm: Pcm16, stretch: Stretch) -> bool:
    """Return whether a stretch is long enough and not digital silence."""
    part = pcm[slice(*stretch)]
    return part.size >= MIN_STRETCH_SAMPLES and not is_silent(part)


def _fits(_: Ticket) -> bool:
    return True


def _rank(ticket: Ticket) -> float:
    return ticket.number
