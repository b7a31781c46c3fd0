"""Decide which stretches are embedded next. No I/O, no clock.

A job is done in steps of a few stretches, so that live speech never waits for a whole job of a
file. The step of a worker that dies is repeated, unless its audio is to blame. A transcript never
fails because of its speakers: every failure here is ``SpeakersUnavailable``, and callers return the
transcript without speakers.
"""

import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from auricle.values.errors import RateLimited, SpeakersUnavailable, WorkerError
from auricle.values.transcriber import QueueStats
from auricle.values.types import SAMPLE_RATE_HZ, ClientId, EmbedJob, Pcm16, SpeakerEmbeddings
from auricle.workers.fair_queue import FairQueue
from auricle.workers.kinds.speakers.fbank import is_silent
from auricle.workers.kinds.speakers.messages import EmbedStretches, StretchesEmbedded
from auricle.workers.kinds.speakers.model_file import BUNDLED_DIMENSIONS, MAX_DIMENSIONS
from auricle.workers.kinds.speakers.voices.stretches import MIN_STRETCH_SAMPLES
from auricle.workers.poison import CrashBudget, PoisonTracker
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.schedule import Down, Schedule
from auricle.workers.wire.messages import MAX_START_ANSWER_BYTES

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
OVERDUE_SHARE = 0.3
"""A step is reported as overdue after this share of its budget."""
VECTOR_BYTES = 4 * MAX_DIMENSIONS
_REASONS = {
    Down.CLOSED: "the server is shutting down",
    Down.CANNOT_START: "speaker workers cannot start",
    Down.ENDED: "the pool of speakers has ended",
}


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
    def key(self) -> str:
        """Name of the job in the count of crashes."""
        return str(self.number)

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


class SpeakerSchedule(Schedule[EmbedJob, SpeakerEmbeddings]):
    """The waiting jobs, and the step of each worker.

    Args:
        budget_s: Time after which a worker is killed.
        poison: Counts the crashes of jobs, and rejects audio that crashed workers.
        crash_budget: The budget that the tracker charges.
    """

    def __init__(self, budget_s: float, poison: PoisonTracker, crash_budget: CrashBudget) -> None:
        super().__init__()
        self._budget_s = budget_s
        self._poison = poison
        self._crash_budget = crash_budget
        self._live: FairQueue[Ticket] = FairQueue()
        self._files: FairQueue[Ticket] = FairQueue()
        self._steps: dict[str, Step] = {}
        self._numbers = itertools.count(1)

    def queue(self) -> QueueStats:
        """Return the jobs that wait and run."""
        return QueueStats(len(self._live) + len(self._files), len(self._steps))

    def submit(self, job: EmbedJob, now: float) -> Ticket:
        """Accept a job; one without a voice is complete.

        Raises:
            SpeakersUnavailable: Too many jobs are waiting, or the audio or the client is rejected.
            ValueError: A stretch is too long, or there are too many.
        """
        self._refuse_poison(job, now)
        if len(job.stretches) > MAX_STRETCHES or any(
            end - start > MAX_STRETCH_SAMPLES for start, end in job.stretches
        ):
            raise ValueError("too many stretches, or a stretch that is too long")
        queue = self._queue_of(job)
        if len(queue) >= MAX_WAITING:
            self.counters.refused += 1
            raise SpeakersUnavailable("too many jobs wait for speaker workers")
        has_voice = tuple(each for each in job.stretches if _has_voice(job.pcm, each))
        max_wait_s = MAX_WAIT_S if job.max_wait_s is None else job.max_wait_s
        ticket = Ticket(next(self._numbers), job, has_voice, now + max_wait_s)
        if has_voice:
            queue.push(ticket)
        else:
            self.outcomes.append((ticket, result_of(ticket)))
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Remove a job if it waits, ignore its step if it runs."""
        ticket.is_settled = True
        self._poison.clear(ticket.key)
        self._queue_of(ticket.job).remove(ticket)

    def next_work(self, worker: str, now: float) -> Assignment | None:
        """Start and return the next step of an idle worker, or ``None``."""
        step = self.next_step(worker)
        if step is None:
            return None
        work = EmbedStretches(step.pcm.data.cast("B"), step.stretches)
        max_answer_bytes = MAX_START_ANSWER_BYTES + len(step.stretches) * VECTOR_BYTES
        overdue_s = OVERDUE_SHARE * self._budget_s
        return Assignment(work, max_answer_bytes, self._budget_s, overdue_s)

    def done(self, worker: str, result: StretchesEmbedded, now: float) -> None:
        """Validate the embeddings of a step, and record them."""
        step = self._steps[worker]
        vectors = read_vectors(result.vectors, len(step.stretches))
        if any(earlier.shape[1] != vectors.shape[1] for earlier in step.ticket.vectors):
            raise WorkerError("embeddings of another size than before")
        self.step_done(worker, vectors)

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

    def step_done(self, worker: str, vectors: np.ndarray) -> None:
        """Record the embeddings of a worker's step; they may complete its job."""
        step = self._steps.pop(worker)
        ticket = step.ticket
        self._poison.clear(ticket.key)
        if ticket.is_settled:
            return
        ticket.vectors.append(vectors)
        ticket.done += len(step.stretches)
        if ticket.done < len(ticket.stretches):
            self._queue_of(ticket.job).push(ticket)
            return
        ticket.is_settled = True
        self.counters.done += 1
        self.outcomes.append((ticket, result_of(ticket)))

    def worker_died(self, worker: str, death: Death, now: float) -> None:
        """Repeat the step of a worker that died, or fail its job.

        A job fails after two crashes in the same place, or a number of deaths in all. Then its
        audio is rejected for a while. All jobs fail if no worker can start.
        """
        if (step := self._steps.pop(worker, None)) is not None:
            self._blame(step.ticket, death, now)
        if death.reason == "start" and not self.ready_workers:
            self.fail_all(Down.CANNOT_START)

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

    def fail_all(self, down: Down) -> None:
        """Fail all jobs."""
        running = [step.ticket for step in self._steps.values()]
        for ticket in [*self._live, *self._files, *running]:
            if not ticket.is_settled:
                self._fail(ticket, _REASONS[down])

    def refusal(self, down: Down) -> SpeakersUnavailable:
        """Return the error for a new job."""
        return SpeakersUnavailable(_REASONS[down])

    # Internals.

    def _refuse_poison(self, job: EmbedJob, now: float) -> None:
        if self._poison.is_poison(job.pcm, now):
            raise SpeakersUnavailable("this audio crashed speaker workers before")
        try:
            self._crash_budget.refuse_exhausted(job.client, now)
        except RateLimited as exc:
            raise SpeakersUnavailable("this client's audio crashed too many workers") from exc

    def _blame(self, ticket: Ticket, death: Death, now: float) -> None:
        is_poison = self._poison.record_crash(ticket.key, death.signature)
        if is_poison:
            self._poison.quarantine(ticket.client, ticket.job.pcm, now)
        if ticket.is_settled:
            self._poison.clear(ticket.key)
        elif is_poison:
            self.counters.poison += 1
            self._fail(ticket, "speaker workers died repeatedly while they worked on this job")
        else:
            self.counters.retried += 1
            self._queue_of(ticket.job).push_front(ticket)

    def _queue_of(self, job: EmbedJob) -> FairQueue[Ticket]:
        return self._live if job.is_live else self._files

    def _fail(self, ticket: Ticket, reason: str) -> None:
        self.cancel(ticket)
        self.counters.failed += 1
        self.outcomes.append((ticket, SpeakersUnavailable(reason)))


def read_vectors(content: bytes, count: int) -> np.ndarray:
    """Return a worker's embeddings, float32, shape [count, dimensions].

    Raises:
        WorkerError: They are not ``count`` vectors of unit length.
    """
    size, rest = divmod(len(content), 4 * count)
    if rest or not 0 < size <= MAX_DIMENSIONS:
        raise WorkerError("embeddings of the wrong size")
    vectors = np.frombuffer(content, "<f4").astype(np.float32).reshape(count, size)
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        raise WorkerError("embeddings are not of unit length")
    return vectors


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
