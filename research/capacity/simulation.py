"""The same as a simulation: speakers, gateways' load meter and real schedulers. No I/O.

Time is simulated and work takes the time of :class:`Costs`, but the order of jobs, what is shed,
the size of batches and the rate of partials are decided by the same code as in a server:
:class:`auricle.workers.kinds.asr.scheduler.Scheduler`, one for each machine, and
:class:`auricle.server.live.load_meter.LoadMeter`. A job goes to the machine with the least audio
under way.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from auricle.cluster.gateway.transcriber import EARLY_PATIENCE_PER_AUDIO_S, EARLY_PATIENCE_S
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.whisper.spec import SPEC
from auricle.server.live.load_meter import LoadMeter
from auricle.server.live.registry import TICK_S
from auricle.session.recognition import (
    EARLY_INTERVAL_S,
    NO_EARLY_PARTIALS_LOAD,
    NO_PARTIALS_LOAD,
    PARTIAL_INTERVAL_S,
)
from auricle.values.errors import AuricleError
from auricle.values.transcriber import QueueStats, Stats, WorkerState, WorkerStats
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, JobKind, Options
from auricle.workers.kinds.asr.backlog import Ticket
from auricle.workers.kinds.asr.scheduler import Scheduler
from auricle.workers.kinds.asr.speed import Speed, Workers
from research.capacity.costs import Costs, Talk
from research.capacity.model import ENDPOINT_S, LATE_P95_S, PADDING_S, REST_S

PAUSE_S = 0.2
"""Silence after which a final is begun in advance, if there is room for it."""
FIRST_PARTIAL_S = 0.5
EARLY_PARTIALS = 2
"""Partials until the first words are stable."""
WARM_UP_S, PLAY_S = 20.0, 60.0
PATIENT_S = 60.0
"""Time limit for the last finals; a missing final counts with this delay."""

_SILENCE = np.zeros(30 * SAMPLE_RATE_HZ, np.int16)


@dataclass(frozen=True, slots=True)
class Site:
    """What there is.

    Attributes:
        machines: With recognisers.
        workers: On each; each has a separate core.
        gateway_cores: What a stream takes of its recognisers' own machine, where gateways run there
            too; 0 if they have separate machines.
        hop_s: The way to another machine and back.
        costs: What work takes.
    """

    machines: int = 1
    workers: int = 2
    gateway_cores: float = 0.0
    hop_s: float = 0.0
    costs: Costs = field(default_factory=Costs)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the finals after the warm-up had to wait, from the end of speech."""

    streams: int
    finals: int
    p50_s: float
    p95_s: float
    partials_per_s: float
    """Of one stream."""
    busy: float
    """Share of the workers' time in use, partials included."""


class _Clock:
    """What is to happen, in order."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._count), what))

    def run_until(self, end: float) -> None:
        while self._due and self._due[0][0] <= end:
            self.now, _, what = heapq.heappop(self._due)
            what()


class _Machine:
    """One machine's recognisers."""

    def __init__(self, site: Site, clock: _Clock, chance: random.Random, slow: float) -> None:
        settings = WorkerSettings()
        workers = Workers(site.workers, site.workers)
        speed = Speed(settings.job_timeout_min_s, settings.job_timeout_factor, workers, SPEC.costs)
        endless = QueueSettings(queue_audio_s=1e9, queue_jobs=10**9, key_share=1)
        self.scheduler = Scheduler(endless, batches=SPEC.batches, workers=workers, speed=speed)
        self._site, self._clock, self._chance, self._slow = site, clock, chance, slow
        self.idle = [f"asr-{number}" for number in range(site.workers)]
        self.audio_s = 0.0
        """Under way: where the next job goes."""
        self.worked_s = 0.0
        self._calls: dict[JobId, Callable[[bool], None]] = {}

    def submit(self, job: Job, done: Callable[[bool], None]) -> Ticket | None:
        """Queue a job; ``done`` receives whether it succeeded. ``None``: it was refused."""
        try:
            ticket = self.scheduler.submit(job, self._clock.now)
        except AuricleError:
            return None
        self.audio_s += job.audio_s
        self._calls[job.id] = done
        self._settle_failures()
        self._work()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Cancel a job that is no longer needed."""
        self.scheduler.cancel(ticket)
        self._forget(ticket)

    def _forget(self, ticket: Ticket) -> Callable[[bool], None] | None:
        done = self._calls.pop(ticket.job.id, None)
        if done is not None:
            self.audio_s -= ticket.audio_s
        return done

    def _settle_failures(self) -> None:
        while (failure := self.scheduler.next_failure()) is not None:
            if (done := self._forget(failure.ticket)) is not None:
                done(False)

    def _work(self) -> None:
        while self.idle:
            worker = self.idle[-1]
            batch = self.scheduler.next_batch(worker, self._clock.now)
            if batch is None:
                return
            self.idle.pop()
            spread = self._site.costs.spread
            usual_s = self._site.costs.batch_s([ticket.audio_s for ticket in batch.tickets])
            takes_s = usual_s * self._slow * self._chance.lognormvariate(-(spread**2) / 2, spread)
            self.worked_s += takes_s
            self._clock.at(self._clock.now + takes_s, partial(self._finish, worker))

    def _finish(self, worker: str) -> None:
        batch = self.scheduler.batch_done(worker, self._clock.now)
        self.idle.append(worker)
        for ticket in batch.tickets:
            is_wanted = self.scheduler.settle(ticket)
            done = self._forget(ticket)
            if done is not None and is_wanted:
                done(True)
        self._work()


class _Speaker:
    """One stream: what a live session asks for while somebody speaks, and when."""

    def __init__(self, number: int, play: "_Play") -> None:
        self._play = play
        self._clock, self._talk = play.clock, play.talk
        self._chance = random.Random(f"{play.seed}/{number}")
        self._name = f"stream-{number}"
        self._utterance = 0
        self._began_at = 0.0
        self._is_speaking = False
        self._partials = 0
        self._partial: tuple[_Machine, Ticket] | None = None
        first_s = self._chance.uniform(0, self._talk.utterance_s)
        self._clock.at(first_s, self._begin)

    def _begin(self) -> None:
        self._utterance += 1
        self._began_at, self._is_speaking, self._partials = self._clock.now, True, 0
        length_s = self._talk.next_utterance_s(self._chance)
        ends_at = self._clock.now + length_s
        utterance = self._utterance
        self._clock.at(self._clock.now + FIRST_PARTIAL_S, lambda: self._partial_at(utterance))
        self._clock.at(ends_at, self._fall_silent)
        self._clock.at(ends_at + PAUSE_S, lambda: self._end(ends_at, length_s + PADDING_S))
        self._clock.at(ends_at + self._talk.next_pause_s(self._chance), self._begin)

    def _fall_silent(self) -> None:
        self._is_speaking = False

    def _job(self, kind: JobKind, suffix: str, audio_s: float) -> Job:
        id = JobId(f"{self._name}/{self._utterance}/{suffix}")
        pcm = _SILENCE[: int(min(30.0, audio_s) * SAMPLE_RATE_HZ)]
        options = Options(beam_size=1, is_partial=kind is JobKind.PARTIAL)
        utterance = f"{self._name}/{self._utterance}"
        return Job(id, pcm, options, kind, utterance=utterance)

    def _partial_at(self, utterance: int) -> None:
        if utterance != self._utterance or not self._is_speaking:
            return
        if self._play.load >= NO_PARTIALS_LOAD or self._partial is not None:
            self._clock.at(self._clock.now + EARLY_INTERVAL_S, lambda: self._partial_at(utterance))
            return
        self._partials += 1
        is_early = self._partials <= EARLY_PARTIALS and self._play.load < NO_EARLY_PARTIALS_LOAD
        interval_s = EARLY_INTERVAL_S if is_early else PARTIAL_INTERVAL_S
        next_at = self._clock.now + interval_s / (1 - self._play.load)
        self._clock.at(next_at, lambda: self._partial_at(utterance))
        audio_s = self._clock.now - self._began_at + PADDING_S / 2
        job = self._job(JobKind.PARTIAL, f"p{self._partials}", audio_s)
        machine = self._play.machine_for_next()
        # A worker may be done with it before this returns in no world: work takes time.
        ticket = machine.submit(job, lambda is_answered: self._guessed(is_answered))
        self._partial = None if ticket is None else (machine, ticket)

    def _guessed(self, is_answered: bool) -> None:
        self._partial = None
        self._play.partials += is_answered

    def _end(self, spoken_until: float, audio_s: float) -> None:
        """Begin the final in the pause if a worker is free for it, else when the utterance ends."""
        asked = _Final(self._play, spoken_until, self._job(JobKind.FINAL, "f", audio_s))
        if self._partial is not None:
            machine, ticket = self._partial
            machine.cancel(ticket)
            self._partial = None
        machine = self._play.machine_for_next()
        early = machine.submit(self._job(JobKind.SPECULATIVE, "s", audio_s), asked.answered)

        def ask() -> None:
            patience_s = EARLY_PATIENCE_S + EARLY_PATIENCE_PER_AUDIO_S * audio_s
            if early is not None and early not in set(machine.scheduler.backlog.in_flight()):
                machine.cancel(early)
                patience_s = 0.0
            self._clock.at(self._clock.now + patience_s, asked.ask)

        self._clock.at(spoken_until + ENDPOINT_S, ask)


class _Final:
    """One final, however often it is asked for."""

    def __init__(self, play: "_Play", spoken_until: float, job: Job) -> None:
        self._play, self._spoken_until, self._job = play, spoken_until, job
        self._is_delivered = False
        if play.counts(spoken_until):
            play.pending += 1

    def ask(self) -> None:
        """Ask for it, unless it is there."""
        if not self._is_delivered:
            self._play.machine_for_next().submit(self._job, self.answered)

    def answered(self, is_answered: bool) -> None:
        """Deliver it, not before the utterance is over."""
        if is_answered and not self._is_delivered:
            self._is_delivered = True
            delivered_at = max(self._play.clock.now, self._spoken_until + ENDPOINT_S)
            if self._play.counts(self._spoken_until):
                late_s = delivered_at - self._spoken_until + REST_S + self._play.site.hop_s
                self._play.delays_s.append(late_s)


class _Play:
    """One run."""

    def __init__(self, streams: int, site: Site, talk: Talk, seed: int) -> None:
        self.site, self.talk, self.seed = site, talk, seed
        self.clock, self.chance = _Clock(), random.Random(seed)
        taken = streams / site.machines * site.gateway_cores
        slow = site.workers / max(0.1, site.workers - taken)
        self.machines = [
            _Machine(site, self.clock, self.chance, slow) for _ in range(site.machines)
        ]
        self._meter = LoadMeter(SPEC.costs.job_overhead_s)
        self.delays_s: list[float] = []
        self.pending = 0
        self.partials = 0
        self._speakers = [_Speaker(number, self) for number in range(streams)]
        self.clock.at(TICK_S, self._look)

    @property
    def load(self) -> float:
        return self._meter.load

    def counts(self, spoken_until: float) -> bool:
        return WARM_UP_S <= spoken_until < WARM_UP_S + PLAY_S

    def machine_for_next(self) -> _Machine:
        min_s = min(machine.audio_s for machine in self.machines)
        return self.chance.choice([one for one in self.machines if one.audio_s <= min_s])

    def _look(self) -> None:
        self._meter.observe(self._stats())
        self.clock.at(self.clock.now + TICK_S, self._look)

    def _stats(self) -> Stats:
        workers: list[WorkerStats] = []
        for machine in self.machines:
            idle = len(machine.idle)
            for number in range(self.site.workers):
                state = WorkerState.READY if number < idle else WorkerState.BUSY
                workers.append(WorkerStats(f"asr-{number}", None, state, 0, 0, 0, None))
        backlogs = [machine.scheduler.backlog for machine in self.machines]
        speeds = [machine.scheduler.speed.seconds_per_load for machine in self.machines]
        queue = QueueStats(
            waiting_jobs=sum(backlog.waiting_jobs for backlog in backlogs),
            waiting_audio_s=sum(backlog.waiting_audio_s for backlog in backlogs),
        )
        speed = sum(speeds) / len(speeds)
        return Stats(tuple(workers), ready=True, queue=queue, seconds_per_audio_s=speed)


def simulate(streams: int, site: Site, talk: Talk | None = None, seed: int = 1) -> Outcome:
    """Return the delay of finals for a number of people who speak all the time."""
    play = _Play(streams, site, talk or Talk(), seed)
    play.clock.run_until(WARM_UP_S + PLAY_S)
    worked_s = sum(machine.worked_s for machine in play.machines)
    play.clock.run_until(WARM_UP_S + PLAY_S + 5)
    never = play.pending - len(play.delays_s)
    delays_s = [*play.delays_s, *[PATIENT_S] * never]
    p50_s, p95_s = np.percentile(delays_s, [50, 95]) if delays_s else (0.0, 0.0)
    whole_s = WARM_UP_S + PLAY_S
    return Outcome(
        streams,
        len(delays_s),
        float(p50_s),
        float(p95_s),
        play.partials / streams / whole_s,
        worked_s / (site.machines * site.workers * whole_s),
    )


def knee(site: Site, seeds: Sequence[int] = (1, 2, 3), step: int | None = None) -> int:
    """Return the most streams whose captions are not late, to a step of some percent."""
    step = step or max(1, site.machines)

    def late_s(streams: int) -> float:
        return float(np.median([simulate(streams, site, seed=seed).p95_s for seed in seeds]))

    low, high = 0, 128 * site.machines * site.workers // 2
    while high - low > step:
        middle = (low + high) // 2
        low, high = (middle, high) if late_s(middle) <= LATE_P95_S else (low, middle)
    return low
