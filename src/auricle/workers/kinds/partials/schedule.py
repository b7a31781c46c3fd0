"""Decide which partial is recognised next, where, and with how much of its audio. No I/O, no clock.

A partial job contains the whole utterance so far. A worker that has recognised the utterance
before keeps its stream, so it is sent only the new audio. A stream is lost with its worker, and is
closed when nothing was fed for a while or others need its room: the next job opens it again with
all its audio. So a dead worker costs one partial of the streams that it was working on.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import count

from auricle.values.errors import (
    AudioError,
    AuricleError,
    Draining,
    PoisonJob,
    Superseded,
    WorkerError,
)
from auricle.values.transcriber import QueueStats
from auricle.values.types import ClientId, Job, Options, Pcm16, Transcript
from auricle.workers.fair_queue import FairQueue
from auricle.workers.kinds.asr.backlog import Ticket
from auricle.workers.kinds.asr.codec import read_outcomes
from auricle.workers.kinds.asr.messages import MAX_JOB_ANSWER_BYTES, BatchDone
from auricle.workers.kinds.partials.messages import RunStreams, StreamStep
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.schedule import Down, Schedule
from auricle.workers.wire.messages import MAX_START_ANSWER_BYTES

MAX_STREAMS = 64
"""Streams of a worker: 60 MB, if each has the longest audio."""
MAX_WAITING = 128
"""Waiting jobs: one for each open utterance."""
CLOSE_AFTER_S = 10.0
"""Time without new audio after which a stream is closed; its utterance has probably ended."""
MAX_DEATHS = 2
"""Deaths of workers after which an utterance gets no more partials."""
OVERDUE_SHARE = 0.3
"""A batch is reported as overdue after this share of its budget."""
FIRST = 1e9
"""Ranks jobs before all moments of the monotonic clock."""

StreamKey = tuple[ClientId, str]
"""The client and the utterance."""


@dataclass(slots=True)
class _Stream:
    """An utterance whose partials were recognised lately.

    Attributes:
        id: Its name in the worker; each opening has a new one.
        worker: The worker that holds it; ``None`` if its worker has died.
        options: The options with which it was opened.
        fed_samples: Length of the audio that the worker has.
        used_at: When it was last given work.
        deaths: Workers that died while they worked on it.
    """

    id: str
    worker: str | None
    options: Options
    fed_samples: int = 0
    used_at: float = -math.inf
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One job of a batch, as its worker needs it: the new audio of a stream.

    With ``opens``, the worker opens the stream first.
    """

    ticket: Ticket
    stream: str
    opens: bool
    pcm: Pcm16


@dataclass(frozen=True, slots=True)
class StreamBatch:
    """Work for one worker: streams to close first, and then the steps."""

    steps: tuple[Step, ...]
    closed: tuple[str, ...]

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """The jobs, in order."""
        return tuple(step.ticket for step in self.steps)


@dataclass(slots=True)
class _Held:
    """The streams of a worker that the next batch closes, and the batch that runs."""

    to_close: list[str] = field(default_factory=list)
    running: StreamBatch | None = None


class PartialSchedule(Schedule[Job, Transcript]):
    """The waiting partials, the streams of each worker and its batch.

    Args:
        max_jobs: Maximum streams that are recognised together.
        budget_s: Time after which a worker is killed.
    """

    def __init__(self, max_jobs: int, budget_s: float = math.inf) -> None:
        super().__init__()
        self._max_jobs = max_jobs
        self._budget_s = budget_s
        self._waiting: FairQueue[Ticket] = FairQueue()
        self._streams: dict[StreamKey, _Stream] = {}
        self._workers: dict[str, _Held] = {}
        self._ids = count(1)

    def queue(self) -> QueueStats:
        """Return the jobs that wait and run."""
        return QueueStats(len(self._waiting), sum(len(batch.steps) for batch in self._running()))

    def stalled(self, since: float) -> int:
        """Return the number of workers whose batch began before ``since``."""
        return sum(batch.tickets[0].started_at < since for batch in self._running())

    def submit(self, job: Job, now: float) -> Ticket:
        """Accept a partial; it replaces a waiting one of the same utterance.

        Raises:
            PoisonJob: Workers died repeatedly while they worked on the utterance.
            Superseded: Too many partials are waiting; retry with newer audio.
        """
        ticket = Ticket(job, now, math.inf)
        stream = self._streams.get(_key(ticket))
        if stream is not None and stream.deaths >= MAX_DEATHS:
            stream.used_at = now
            raise PoisonJob("Partials of this utterance crashed their workers repeatedly.")
        older = next((each for each in self._waiting if _key(each) == _key(ticket)), None)
        if older is not None:
            self._waiting.replace(older, ticket)
            self._fail(older, Superseded("replaced by a newer partial"))
        elif len(self._waiting) >= MAX_WAITING:
            raise Superseded("too many partials are waiting; retry with newer audio")
        else:
            self._waiting.push(ticket)
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Cancel a job: remove it if it waits, ignore its result if it runs."""
        ticket.is_settled = True
        self._waiting.remove(ticket)

    def next_work(self, worker: str, now: float) -> Assignment | None:
        """Start the next batch of an idle worker, or return ``None``."""
        batch = self.next_batch(worker, now)
        if batch is None:
            return None
        work = RunStreams(tuple(map(_message, batch.steps)), batch.closed)
        max_answer_bytes = MAX_START_ANSWER_BYTES + len(batch.steps) * MAX_JOB_ANSWER_BYTES
        overdue_s = OVERDUE_SHARE * self._budget_s
        return Assignment(work, max_answer_bytes, self._budget_s, overdue_s)

    def done(self, worker: str, result: BatchDone, now: float) -> None:
        """Validate the results of a batch, and record them."""
        held = self._workers[worker].running
        assert held is not None
        outcomes = read_outcomes(held.tickets, result, now)
        self.batch_done(worker)
        for ticket, outcome in zip(held.tickets, outcomes, strict=True):
            if self.settle(ticket, failed=isinstance(outcome, AudioError)):
                self.outcomes.append((ticket, outcome))

    def next_batch(self, worker: str, now: float) -> StreamBatch | None:
        """Start and return the next batch of an idle worker, or ``None``.

        Utterances without a partial are first, shortest first; then those that have waited longest
        since their last one.
        """
        held = self._workers.setdefault(worker, _Held())
        first = self._waiting.take(lambda ticket: self._may_run(ticket, worker), self._rank)
        if first is None:
            return None
        tickets = [first]
        if not self._deaths(first):
            tickets += self._companions(first, worker)
        self._make_room(worker, {_key(ticket) for ticket in tickets}, now)
        steps = tuple(self._step(ticket, worker, now) for ticket in tickets)
        held.running = StreamBatch(steps, tuple(held.to_close))
        held.to_close.clear()
        return held.running

    def batch_done(self, worker: str) -> StreamBatch:
        """Record that a worker has finished its batch, and return it."""
        held = self._workers[worker]
        batch, held.running = held.running, None
        assert batch is not None
        return batch

    def settle(self, ticket: Ticket, *, failed: bool = False) -> bool:
        """Mark a job as answered; return whether its caller is still waiting."""
        is_awaited, ticket.is_settled = not ticket.is_settled, True
        self.counters.done += is_awaited and not failed
        self.counters.failed += is_awaited and failed
        return is_awaited

    def worker_died(self, worker: str, death: Death, now: float) -> None:
        """Fail the batch of a worker that died, and forget its streams."""
        held = self._workers.pop(worker, _Held())
        for stream in self._streams.values():
            if stream.worker == worker:
                stream.worker, stream.fed_samples = None, 0
        for ticket in held.running.tickets if held.running else ():
            stream = self._streams[_key(ticket)]
            stream.deaths += 1
            if stream.deaths >= MAX_DEATHS:
                self.counters.poison += 1
                error: AuricleError = PoisonJob("This audio crashed the engine repeatedly.")
            else:
                error = Superseded("its worker died; retry with newer audio")
            if not ticket.is_settled:
                self._fail(ticket, error)

    def fail_all(self, down: Down) -> None:
        """Fail all jobs."""
        error = WorkerError("the pool of partials has ended") if down is Down.ENDED else Draining()
        for ticket in [*self._waiting, *(t for batch in self._running() for t in batch.tickets)]:
            self._waiting.remove(ticket)
            if not ticket.is_settled:
                self._fail(ticket, error)

    # Internals.

    def _running(self) -> list[StreamBatch]:
        return [held.running for held in self._workers.values() if held.running]

    def _fail(self, ticket: Ticket, error: AuricleError) -> None:
        ticket.is_settled = True
        self.counters.failed += not isinstance(error, Superseded)
        self.outcomes.append((ticket, error))

    def _may_run(self, ticket: Ticket, worker: str) -> bool:
        stream = self._streams.get(_key(ticket))
        return stream is None or stream.worker in (None, worker)

    def _rank(self, ticket: Ticket) -> float:
        """Return the order in which a client's jobs run, lowest first."""
        stream = self._streams.get(_key(ticket))
        return ticket.audio_s - FIRST if stream is None else stream.used_at

    def _deaths(self, ticket: Ticket) -> int:
        stream = self._streams.get(_key(ticket))
        return 0 if stream is None else stream.deaths

    def _companions(self, first: Ticket, worker: str) -> list[Ticket]:
        """Take further jobs that may share a batch with the first one."""

        def fits(ticket: Ticket) -> bool:
            return self._may_run(ticket, worker) and not self._deaths(ticket)

        taken: list[Ticket] = []
        while len(taken) + 1 < self._max_jobs and (other := self._waiting.take(fits, self._rank)):
            taken.append(other)
        return taken

    def _step(self, ticket: Ticket, worker: str, now: float) -> Step:
        job, key = ticket.job, _key(ticket)
        stream = self._streams.get(key)
        is_open = stream is not None and stream.worker == worker
        if stream is None or not is_open or not _continues(stream, job):
            if stream is not None and is_open:
                self._workers[worker].to_close.append(stream.id)
            deaths = 0 if stream is None else stream.deaths
            stream = _Stream(str(next(self._ids)), worker, job.options, deaths=deaths)
            self._streams[key] = stream
        step = Step(ticket, stream.id, not stream.fed_samples, job.pcm[stream.fed_samples :])
        stream.fed_samples, stream.used_at = job.pcm.size, now
        ticket.attempts += 1
        ticket.started_at = now
        return step

    def _make_room(self, worker: str, wanted: Collection[StreamKey], now: float) -> None:
        """Close the streams that are not used any more, and the oldest ones above the limit."""
        for key, stream in list(self._streams.items()):
            if key not in wanted and now - stream.used_at >= CLOSE_AFTER_S:
                self._close(key)
        held = {key: each for key, each in self._streams.items() if each.worker == worker}
        new = sum(key not in held for key in wanted)
        oldest = sorted(held.keys() - wanted, key=lambda key: held[key].used_at)
        for key in oldest[: max(0, len(held) + new - MAX_STREAMS)]:
            self._close(key)

    def _close(self, key: StreamKey) -> None:
        stream = self._streams.pop(key)
        if stream.worker is not None:
            self._workers[stream.worker].to_close.append(stream.id)


def _key(ticket: Ticket) -> StreamKey:
    return ticket.client, ticket.job.utterance


def _continues(stream: _Stream, job: Job) -> bool:
    """Return whether a job has the options of a stream and more audio."""
    return stream.options == job.options and job.pcm.size > stream.fed_samples


def _message(step: Step) -> StreamStep:
    job = step.ticket.job
    return StreamStep(job.id, step.stream, step.opens, step.pcm.data.cast("B"), job.options)
