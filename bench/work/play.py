"""Real sessions, schedulers and load meter on a simulated clock and a simulated machine.

The clock is simulated and work takes the time of :class:`.Costs`; everything that decides which
work is done is the server's own code. The server's process takes a part of the cores, workers of
finals share the rest, and the worker of partials gets what they leave.
"""

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from math import inf

from auricle.audio.opus import LibOpus, find_libopus
from auricle.config.sections.live import LiveSettings
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.models import ModelTable
from auricle.engines.whisper.spec import SPEC
from auricle.server.live.load_meter import LoadMeter
from auricle.server.live.registry import (
    MAX_READ_INTERVAL_S,
    READ_INTERVAL_PER_CLIENT_S,
    TICK_S,
)
from auricle.session.live import LiveSession
from auricle.session.output import Cancel, Submit
from auricle.values.commands import StreamParameters
from auricle.values.errors import AuricleError
from auricle.values.events import Final, Partial, Wire
from auricle.values.transcriber import QueueStats, Stats, WorkerState, WorkerStats
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    ClientId,
    Job,
    JobKind,
    ReservationRequest,
    Segment,
    Transcript,
)
from auricle.workers.kinds.asr.backlog import Batch, Ticket
from auricle.workers.kinds.asr.scheduler import Scheduler
from auricle.workers.kinds.asr.speed import Speed, Workers
from auricle.workers.kinds.partials.schedule import PartialSchedule, StreamBatch
from bench.work.costs import SERVER_PER_STREAM, Costs, frames_of, measured
from bench.work.speech import RecordedDetector, Stream

CORES, WORKERS = 2, 2
PACKET_S = 0.02
STREAMED = frozenset({"en"})
CLIENT = ClientId("speaker")
DRAIN_S = 30.0
"""Time for the last finals."""


@dataclass(slots=True)
class Work:
    """What was done: the figures of a run.

    Attributes:
        started: Jobs that were given to a worker, by kind.
        cancelled: Jobs that were cancelled before they were done, by kind.
        worker_s: Time of the workers of finals, by kind.
        wasted_s: The part of it whose result was not used.
        batches: Number of batches by kind.
        frames: Frames that were encoded.
        partials: Partials that were sent.
        partial_s: Time of the workers of partials.
    """

    started: Counter[str] = field(default_factory=Counter)
    cancelled: Counter[str] = field(default_factory=Counter)
    worker_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    wasted_s: float = 0.0
    batches: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    partials: int = 0
    partial_s: float = 0.0


class Clock:
    """What is due, in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Call a function at a time."""
        heapq.heappush(self._due, (max(when, self.now), next(self._count), act))

    def run(self, until: float) -> None:
        """Do what is due until a time."""
        while self._due and self._due[0][0] <= until:
            self.now, _, act = heapq.heappop(self._due)
            act()


@dataclass(slots=True)
class _Task:
    """Work on the machine, with what is left of it in CPU seconds."""

    left_s: float
    is_optional: bool
    done: Callable[[], None]


class Machine:
    """Cores that tasks share; optional ones get what the others leave.

    Args:
        clock: The simulated clock.
        cores: Cores that the server's process leaves.
    """

    def __init__(self, clock: Clock, cores: float) -> None:
        self._clock = clock
        self._cores = cores
        self._tasks: list[_Task] = []
        self._at = 0.0
        self._version = 0

    def run(self, cost_s: float, done: Callable[[], None], *, is_optional: bool = False) -> None:
        """Start a task that takes this CPU time."""
        self._advance()
        self._tasks.append(_Task(cost_s, is_optional, done))
        self._plan()

    def _rates(self) -> list[float]:
        urgent = sum(not task.is_optional for task in self._tasks)
        rate = min(1.0, self._cores / urgent) if urgent else 0.0
        optional = len(self._tasks) - urgent
        left = max(0.0, self._cores - urgent * rate)
        spare = min(1.0, left / optional) if optional else 0.0
        return [spare if task.is_optional else rate for task in self._tasks]

    def _advance(self) -> None:
        passed_s, self._at = self._clock.now - self._at, self._clock.now
        for task, rate in zip(self._tasks, self._rates(), strict=True):
            task.left_s -= passed_s * rate

    def _plan(self) -> None:
        self._version += 1
        version = self._version
        rates = self._rates()
        ends = [t.left_s / r for t, r in zip(self._tasks, rates, strict=True) if r > 0]
        if ends:
            self._clock.at(self._clock.now + max(0.0, min(ends)), lambda: self._finish(version))

    def _finish(self, version: int) -> None:
        if version != self._version:  # another task has come since
            return
        self._advance()
        over = [task for task in self._tasks if task.left_s <= 1e-9]
        self._tasks = [task for task in self._tasks if task.left_s > 1e-9]
        self._plan()
        for task in over:
            task.done()


class Recogniser:
    """The pool of finals: the real scheduler, and workers on the machine."""

    def __init__(
        self, clock: Clock, machine: Machine, costs: Costs, work: Work, scheduler: type[Scheduler]
    ) -> None:
        self._clock, self._machine, self._costs, self._work = clock, machine, costs, work
        settings = WorkerSettings()
        workers = Workers(WORKERS, WORKERS)
        speed = Speed(settings.job_timeout_min_s, settings.job_timeout_factor, workers, SPEC.costs)
        queue = QueueSettings(queue_audio_s=1e6, queue_jobs=10**6, key_share=1)
        self.scheduler = scheduler(queue, batches=SPEC.batches, workers=workers, speed=speed)
        self.reservation = self.scheduler.reserve(
            ReservationRequest(CLIENT, 0.0, standing=True), 0.0
        )
        self._idle = [f"asr-{number}" for number in range(WORKERS)]
        self._calls: dict[Ticket, list[_Call]] = {}

    def submit(self, job: Job, call: "_Call") -> None:
        """Submit a job; a final whose speculative job runs shares its result, as in a pool."""
        if (twin := self.scheduler.running_twin(job)) is not None and twin in self._calls:
            self._calls[twin].append(call)
            call.ticket = twin
            return
        try:
            ticket = self.scheduler.submit(job, self._clock.now)
        except AuricleError as error:
            self._clock.at(self._clock.now, partial(call.answer, error))
            return
        call.ticket = ticket
        self._calls[ticket] = [call]
        self._answer_failures()
        self._give_work()

    def cancel(self, call: "_Call") -> None:
        """Cancel a call; its job continues if another one shares it."""
        ticket = call.ticket
        if ticket is None or ticket not in self._calls:
            return
        self._calls[ticket] = [each for each in self._calls[ticket] if each is not call]
        if not self._calls[ticket]:
            self._work.cancelled[ticket.job.kind.name] += 1
            self.scheduler.cancel(ticket)
            del self._calls[ticket]

    def stats(self) -> Stats:
        """Return what the load meter sees."""
        workers = tuple(
            WorkerStats(f"asr-{n}", None, state, 0, 0, 0, None)
            for n in range(WORKERS)
            for state in [WorkerState.READY if n < len(self._idle) else WorkerState.BUSY]
        )
        backlog = self.scheduler.backlog
        queue = QueueStats(backlog.waiting_jobs, waiting_audio_s=backlog.waiting_audio_s)
        per_load_s = self.scheduler.speed.seconds_per_load
        return Stats(workers, ready=True, queue=queue, seconds_per_audio_s=per_load_s)

    def _give_work(self) -> None:
        for worker in list(self._idle):
            batch = self.scheduler.next_batch(worker, self._clock.now)
            if batch is None:
                return
            self._idle.remove(worker)
            self._start(worker, batch)

    def _start(self, worker: str, batch: Batch) -> None:
        jobs = [ticket.job for ticket in batch.tickets]
        kind = jobs[0].kind.name
        words = [len(self._calls[t][0].stream.spoken(t.job.pcm)) for t in batch.tickets]
        cost_s = self._costs.batch_s(jobs, words)
        self._work.started[kind] += len(jobs)
        self._work.batches[kind] += 1
        self._work.worker_s[kind] += cost_s
        self._work.frames += sum(map(frames_of, jobs))
        self._machine.run(cost_s, lambda: self._done(worker, cost_s))

    def _done(self, worker: str, cost_s: float) -> None:
        batch = self.scheduler.batch_done(worker, self._clock.now)
        self._idle.append(worker)
        self._idle.sort()
        for ticket in batch.tickets:
            is_awaited = self.scheduler.settle(ticket)
            if not is_awaited:
                self._work.wasted_s += cost_s / len(batch.tickets)
            for call in self._calls.pop(ticket, []):
                call.answer(call.stream_transcript(ticket.job))
        self._give_work()

    def _answer_failures(self) -> None:
        while failure := self.scheduler.next_failure():
            for call in self._calls.pop(failure.ticket, []):
                self._clock.at(self._clock.now, partial(call.answer, failure.error))


class Partials:
    """The pool of partials: the real schedule, and one worker with what finals leave."""

    def __init__(self, clock: Clock, machine: Machine, costs: Costs, work: Work) -> None:
        self._clock, self._machine, self._costs, self._work = clock, machine, costs, work
        self._schedule = PartialSchedule(1)
        self._calls: dict[Ticket, _Call] = {}
        self._is_busy = False

    def submit(self, job: Job, call: "_Call") -> None:
        """Submit a partial."""
        try:
            ticket = self._schedule.submit(job, self._clock.now)
        except AuricleError as error:
            self._clock.at(self._clock.now, partial(call.answer, error))
            return
        self._calls[ticket], call.partial = call, ticket
        while self._schedule.outcomes:
            late, reason = self._schedule.outcomes.popleft()
            assert isinstance(reason, AuricleError)
            if (other := self._calls.pop(late, None)) is not None:
                self._clock.at(self._clock.now, partial(other.answer, reason))
        self._give_work()

    def cancel(self, call: "_Call") -> None:
        """Cancel a partial."""
        if call.partial is not None and self._calls.pop(call.partial, None) is not None:
            self._work.cancelled[JobKind.PARTIAL.name] += 1
            self._schedule.cancel(call.partial)

    def _give_work(self) -> None:
        if self._is_busy:
            return
        batch = self._schedule.next_batch("partial", self._clock.now)
        if batch is None:
            return
        self._is_busy = True
        cost_s = sum(self._costs.partial_s(ticket.audio_s) for ticket in batch.tickets)
        self._work.started[JobKind.PARTIAL.name] += len(batch.tickets)
        self._work.partial_s += cost_s
        self._machine.run(cost_s, lambda: self._done(batch), is_optional=True)

    def _done(self, batch: StreamBatch) -> None:
        self._schedule.batch_done("partial")
        self._is_busy = False
        for ticket in batch.tickets:
            if self._schedule.settle(ticket) and (call := self._calls.pop(ticket, None)):
                call.answer(call.stream_transcript(ticket.job))
        self._give_work()


@dataclass(slots=True, eq=False)
class _Call:
    """A job of a speaker's session that is under way."""

    speaker: "Speaker"
    job: Job
    ticket: Ticket | None = None
    partial: Ticket | None = None
    is_over: bool = False

    @property
    def stream(self) -> Stream:
        return self.speaker.stream

    def answer(self, result: Transcript | AuricleError) -> None:
        """Pass the result to the session."""
        if not self.is_over:
            self.is_over = True
            self.speaker.job_done(self, result)

    def stream_transcript(self, job: Job) -> Transcript:
        """Return what the job's audio says."""
        words = self.stream.spoken(job.pcm)
        text = "".join(word.text for word in words)
        segment = Segment(0, job.pcm.size, text, words)
        return Transcript(text.strip(), "en", 0.99, job.pcm.size, (segment,))


class Speaker:
    """One session, to which a stream is played."""

    def __init__(self, number: int, stream: Stream, run: "Run") -> None:
        self.stream = stream
        self.finals: list[tuple[float, Final]] = []
        self.partials: list[tuple[float, Partial]] = []
        self._run = run
        self._clock = run.clock
        self._calls: dict[str, _Call] = {}
        self._sent = 0
        self._wakes_at = inf
        self.session = LiveSession(
            StreamParameters(format=Wire.PCM16, language="en"),
            LiveSettings(),
            _libopus(),
            id=f"s{number}",
            secret="",
            client=CLIENT,
            reservations={"": run.recogniser.reservation},
            now=0.0,
            models=_models(),
            streamed_languages=STREAMED,
            detector=lambda: RecordedDetector(stream),
        )
        self.session.attach(0.0)
        self._clock.at(run.interval_s * number / run.speakers_count, self._send)

    def set_load(self, load: float) -> None:
        """Set the load, as the registry does."""
        self.session.set_load(load, has_streams=True)
        self._execute()

    def job_done(self, call: _Call, result: Transcript | AuricleError) -> None:
        """Pass a result to the session."""
        self._calls.pop(call.job.id, None)
        self.session.job_done(call.job.id, result, self._clock.now)
        self._execute()

    def _send(self) -> None:
        step = round(self._run.interval_s * SAMPLE_RATE_HZ)
        part = self.stream.pcm[self._sent : self._sent + step]
        self._sent += part.size
        if part.size:
            self.session.receive_data(part.tobytes(), now=self._clock.now)
            self._execute()
            self._clock.at(self._clock.now + self._run.interval_s, self._send)

    def _poll(self, at: float) -> None:
        if at == self._wakes_at:
            self._wakes_at = inf
            self.session.poll(self._clock.now)
            self._execute()

    def _execute(self) -> None:
        while (output := self.session.next_output()) is not None:
            match output:
                case Submit(Job() as job):
                    call = self._calls[job.id] = _Call(self, job)
                    self._run.pool_of(job).submit(job, call)
                case Cancel(job_id):
                    if (cancelled := self._calls.pop(job_id, None)) is not None:
                        cancelled.is_over = True
                        self._run.pool_of(cancelled.job).cancel(cancelled)
                case Final():
                    self.finals.append((self._clock.now, output))
                case Partial():
                    self.partials.append((self._clock.now, output))
                    self._run.work.partials += 1
                case _:
                    pass
        wake_at = max(self.session.wake_at, self._clock.now + 0.005)
        if wake_at < self._wakes_at:
            self._wakes_at = wake_at
            self._clock.at(wake_at, lambda: self._poll(wake_at))


class Run:
    """A number of speakers on one machine.

    Args:
        streams: What they say.
        scheduler: Decides about finals; another one shows what the guard detects.
        costs: What jobs cost.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        scheduler: type[Scheduler] = Scheduler,
        costs: Costs | None = None,
    ) -> None:
        costs = costs or measured()
        self.speakers_count = len(streams)
        self.clock, self.work = Clock(), Work()
        interval_s = min(MAX_READ_INTERVAL_S, READ_INTERVAL_PER_CLIENT_S * len(streams))
        self.interval_s = max(1, round(interval_s / PACKET_S)) * PACKET_S
        machine = Machine(self.clock, CORES - SERVER_PER_STREAM * len(streams))
        self.recogniser = Recogniser(self.clock, machine, costs, self.work, scheduler)
        self.partials = Partials(self.clock, machine, costs, self.work)
        self._meter = LoadMeter(SPEC.costs.job_overhead_s)
        self.speakers = [Speaker(number, each, self) for number, each in enumerate(streams)]
        self.clock.at(TICK_S, self._measure)

    def play(self) -> None:
        """Play all streams to their last finals."""
        lasts_s = max(speaker.stream.pcm.size for speaker in self.speakers) / SAMPLE_RATE_HZ
        self.clock.run(lasts_s + DRAIN_S)

    def pool_of(self, job: Job) -> Recogniser | Partials:
        """Return where a job runs."""
        return self.partials if job.kind is JobKind.PARTIAL else self.recogniser

    def _measure(self) -> None:
        load = self._meter.observe(self.recogniser.stats())
        for speaker in self.speakers:
            speaker.set_load(load)
        self.clock.at(self.clock.now + TICK_S, self._measure)


@cache
def _models() -> ModelTable:
    return ModelTable.of(ModelSettings())


@cache
def _libopus() -> LibOpus:
    return find_libopus()
