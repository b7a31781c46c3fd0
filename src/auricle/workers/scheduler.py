"""Which job runs next, and which is refused, retried or convicted. No I/O, no clock.

Jobs wait in one fair queue for each kind. Whenever a worker falls idle it takes up to B waiting
jobs of one batch class; there is no batching timer. All figures are seconds of audio, or monotonic
seconds where a name ends in ``_at`` or an argument is called ``now``.

Overflow policy: when the queue is full, waiting speculation and partials go first (they end as
``Superseded``), then new work is refused with the time to come back. What was accepted is never
dropped for load.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from auricle.config import QueueSettings
from auricle.errors import (
    AuricleError,
    DeadlineExceeded,
    Overloaded,
    PoisonJob,
    RateLimited,
    Superseded,
)
from auricle.types import ANONYMOUS, ClientId, Job, JobKind, Options
from auricle.workers.blame import Blame, fingerprint
from auricle.workers.fair_queue import FairQueue

JOB_OVERHEAD_S = 3.0
"""A job costs as much as its audio and so much more (base, int8: 1.0 s for 3 s of audio against
1.4 s for 11 s, measured 2026-11-25), so cost is counted in `load` = audio + this."""
FIRST_SECONDS_PER_LOAD = 0.3
"""Until a worker's warm-up has been timed."""
SPEED_SMOOTHING = 0.1
"""Weight of the newest batch in the measured speed."""
MAX_RETRY_AFTER_S = 60
MAX_SMALL_BATCH_JOBS = 4
"""Partials and speculation run in batches no larger than this, so that no final waits long."""
MAX_FILE_CREDIT_S = 60.0
"""Most of the files' share that may be saved up while live speech keeps the workers busy."""
RESUME_HEADROOM = 0.1
"""Part of the queue that only resumed sessions may reserve."""
BATCH_CLASS_STEP_S = 5.0
"""Jobs within one such step of length go together: a batch is padded to its longest."""

_SHEDDABLE = (JobKind.SPECULATIVE, JobKind.PARTIAL)


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
    """What one worker is to do now, and for how long it may."""

    tickets: tuple[Ticket, ...]
    budget_s: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A ticket that ended without a transcript."""

    ticket: Ticket
    error: AuricleError


@dataclass(slots=True)
class _Reservation:
    client: ClientId
    audio_s: float
    standing: bool


@dataclass(slots=True)
class Counters:
    """What happened since the start."""

    done: int = 0
    failed: int = 0
    retried: int = 0
    refused: int = 0
    poison: int = 0


@dataclass(slots=True)
class Workers:
    """How many workers there are; the pool keeps it true."""

    size: int
    ready: int = 0


class Scheduler:
    """The queue, its bounds and its memory of who did what.

    After each call, drain :meth:`next_failure`; call :meth:`poll` at :attr:`wake_at`.

    Args:
        settings: Bounds and shares.
        max_batch_jobs: Most jobs that a worker gets at once.
        attempt_floor_s: Shortest budget of a batch.
        attempt_factor: A batch's budget over its usual time.
        workers: Shared with the pool.
    """

    def __init__(
        self,
        settings: QueueSettings,
        *,
        max_batch_jobs: int,
        attempt_floor_s: float,
        attempt_factor: float,
        workers: Workers,
    ) -> None:
        self._settings = settings
        self.max_batch_jobs = max_batch_jobs
        self._attempt_floor_s = attempt_floor_s
        self._attempt_factor = attempt_factor
        self._workers = workers
        self._queues: dict[JobKind, FairQueue[Ticket]] = {kind: FairQueue() for kind in JobKind}
        self._running: dict[str, Batch] = {}
        self._reservations: dict[str, _Reservation] = {}
        self._reservation_ids = itertools.count(1)
        self._failures: list[Failure] = []
        self._blame = Blame(
            settings.poison_attempts,
            settings.poison_ttl_s,
            settings.key_crashes,
            settings.crash_window_s,
        )
        self._file_credit_s = 0.0
        self.is_measured = False
        self.seconds_per_load = FIRST_SECONDS_PER_LOAD
        self.counters = Counters()

    # Admission.

    def reserve(
        self,
        client: ClientId,
        audio_s: float,
        now: float,
        *,
        max_wait_s: float | None = None,
        standing: bool = False,
        resumed: bool = False,
    ) -> str:
        """Keep room for audio that is still to come, and return the reservation's name.

        Raises:
            Overloaded: There is no room, or the wait is longer than ``max_wait_s``.
            RateLimited: The client's budget of crashes is used up.
        """
        self._refuse_banned(client, now)
        headroom_s = self._settings.queue_audio_s * RESUME_HEADROOM
        spare_s = headroom_s if standing and not resumed else 0.0
        self._make_room(client, audio_s + spare_s, audio_s)
        self._refuse_late(client, JobKind.FINAL, audio_s + JOB_OVERHEAD_S, max_wait_s, now)
        name = f"r{next(self._reservation_ids)}"
        self._reservations[name] = _Reservation(client, audio_s, standing)
        return name

    def release(self, reservation: str) -> None:
        """Give the room back."""
        self._reservations.pop(reservation, None)

    def submit(self, job: Job, now: float) -> Ticket:
        """Accept a job.

        Raises:
            Overloaded: There is no room for it, or its deadline can't be met.
            PoisonJob: This audio was convicted lately.
            RateLimited: The client's budget of crashes is used up.
            Superseded: A partial of an utterance that a worker died of.
        """
        if self._blame.is_poison(job.pcm, now):
            self.counters.refused += 1
            raise PoisonJob("this audio made the engine crash before; it is refused for a while")
        if job.kind in _SHEDDABLE and self._blame.is_suspect(job.utterance):
            raise Superseded("a worker died of this utterance: only its final is tried again")
        deadline_at = math.inf if job.max_wait_s is None else now + job.max_wait_s
        ticket = Ticket(job, now, deadline_at)
        if job.kind is JobKind.PARTIAL and (older := self._waiting_partial(job.utterance)):
            self._queues[JobKind.PARTIAL].replace(older, ticket)
            self._fail(older, Superseded("a newer partial took its place"))
            return ticket
        reservation = self._reservations.get(job.reservation or "")
        if reservation is None or (
            reservation.standing
            and self._reserved_waiting_s(job.reservation) + job.audio_s > reservation.audio_s
        ):
            self._refuse_banned(job.client, now)
            self._make_room(job.client, job.audio_s, job.audio_s)
            self._refuse_late(job.client, job.kind, ticket.load_s, job.max_wait_s, now)
        elif not reservation.standing:
            del self._reservations[job.reservation or ""]
        self._queues[job.kind].push(ticket)
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """The caller left: a waiting job vanishes, a running one is let finish and dropped."""
        ticket.is_settled = True
        if self._queues[ticket.job.kind].remove(ticket):
            self._blame.acquit(ticket.job.utterance)

    # Work.

    def next_batch(self, worker: str, now: float) -> Batch | None:
        """Return what this idle worker is to do, or ``None``."""
        for kind in self._kinds_in_turn():
            first = self._queues[kind].take(self._may_run)
            if first is None:
                continue
            tickets = [first]
            if not first.alone:
                tickets += self._companions(first)
            return self._start(worker, kind, tickets, now)
        return None

    def batch_done(self, worker: str, now: float) -> Batch:
        """The worker finished: return its batch; the caller settles the tickets."""
        batch = self._running.pop(worker)
        load_s = sum(ticket.load_s for ticket in batch.tickets)
        self.observe_speed((now - batch.tickets[0].started_at) / load_s)
        for ticket in batch.tickets:
            self._blame.acquit(ticket.job.utterance)
        return batch

    def settle(self, ticket: Ticket, *, failed: bool = False) -> bool:
        """Mark as answered; return whether its caller is still waiting."""
        waiting, ticket.is_settled = not ticket.is_settled, True
        if waiting and failed:
            self.counters.failed += 1
        elif waiting:
            self.counters.done += 1
        return waiting

    def observe_speed(self, seconds_per_load: float) -> None:
        """Take in a measurement of what a second of load costs a worker."""
        weight = SPEED_SMOOTHING if self.is_measured else 1.0
        self.is_measured = True
        self.seconds_per_load += weight * (seconds_per_load - self.seconds_per_load)

    def worker_died(self, worker: str, signature: str | None, now: float) -> None:
        """Put back what the worker held, or convict it, in this one step.

        Args:
            worker: Which one; one that held nothing is fine.
            signature: What the death looked like; ``None`` if no frame is known.
            now: Monotonic seconds.
        """
        batch = self._running.pop(worker, None)
        if batch is None:
            return
        was_alone = len(batch.tickets) == 1
        for ticket in reversed(batch.tickets):
            # An abandoned job is not tried again, so its next likeness carries on its strikes:
            # otherwise poison could be sent for ever by a caller who hangs up each time.
            blamed = ticket.job.utterance
            if ticket.is_settled:
                blamed = fingerprint(ticket.job.pcm).hex()
            if was_alone and self._blame.strike(blamed, signature):
                self._convict(ticket, blamed, now)
            elif ticket.is_settled:
                continue
            elif was_alone and ticket.job.kind in _SHEDDABLE:
                self._fail(ticket, Superseded("a worker died of it; the final is tried again"))
            else:
                ticket.alone = True
                self.counters.retried += 1
                self._queues[ticket.job.kind].push_front(ticket)

    def drain(self, error: Callable[[], AuricleError]) -> None:
        """Fail everything that waits or runs."""
        for ticket in [*self._waiting(), *self._in_flight()]:
            self._queues[ticket.job.kind].remove(ticket)
            if not ticket.is_settled:
                self._fail(ticket, error())

    # Time.

    @property
    def wake_at(self) -> float:
        """When :meth:`poll` has something to do next; infinity if never."""
        tickets = itertools.chain(self._waiting(), self._in_flight())
        return min((t.deadline_at for t in tickets if not t.is_settled), default=math.inf)

    def poll(self, now: float) -> None:
        """Tell the callers whose deadline has passed."""
        for ticket in [*self._waiting(), *self._in_flight()]:
            if ticket.deadline_at <= now and not ticket.is_settled:
                if self._queues[ticket.job.kind].remove(ticket):
                    self._blame.acquit(ticket.job.utterance)
                self._fail(ticket, DeadlineExceeded("the answer was not there in time"))

    def next_failure(self) -> Failure | None:
        """Return a ticket that ended without a transcript, each once, oldest first."""
        return self._failures.pop(0) if self._failures else None

    # Figures.

    @property
    def waiting_jobs(self) -> int:
        """Jobs in the queue."""
        return sum(map(len, self._queues.values()))

    @property
    def running_jobs(self) -> int:
        """Jobs at the workers."""
        return sum(len(batch.tickets) for batch in self._running.values())

    @property
    def waiting_audio_s(self) -> float:
        """Seconds of audio in the queue."""
        return sum(ticket.audio_s for ticket in self._waiting())

    @property
    def reserved_audio_s(self) -> float:
        """Seconds of audio that room is kept for."""
        return sum(reservation.audio_s for reservation in self._reservations.values())

    def budget_s(self, tickets: Iterable[Ticket]) -> float:
        """Return how long a worker may take for these; each earlier attempt doubles it.

        A machine that is slower than measured so far then gets through in the end.
        """
        tickets = list(tickets)
        usual_s = sum(ticket.load_s for ticket in tickets) * self.seconds_per_load
        doublings = max(ticket.attempts for ticket in tickets)
        return float(max(self._attempt_floor_s, usual_s * self._attempt_factor) * 2**doublings)

    def retry_after_s(self, load_s: float) -> int:
        """Return when ``load_s`` of work will be done, in whole seconds, at least 1."""
        wait_s = load_s * self.seconds_per_load / max(1, self._workers.ready)
        return max(1, min(MAX_RETRY_AFTER_S, math.ceil(wait_s)))

    # How it is done.

    def _waiting(self) -> Iterator[Ticket]:
        return itertools.chain.from_iterable(self._queues.values())

    def _in_flight(self) -> Iterator[Ticket]:
        return itertools.chain.from_iterable(batch.tickets for batch in self._running.values())

    def _fail(self, ticket: Ticket, error: AuricleError) -> None:
        ticket.is_settled = True
        self.counters.failed += not isinstance(error, Superseded)
        self._failures.append(Failure(ticket, error))

    def _convict(self, ticket: Ticket, blamed: str, now: float) -> None:
        self.counters.poison += 1
        self._blame.convict(ticket.client, ticket.job.pcm, now)
        self._blame.acquit(blamed)
        if not ticket.is_settled:
            self._fail(ticket, PoisonJob("this audio made the engine crash repeatedly"))

    def _refuse(self, message: str, retry_after_s: int) -> Overloaded:
        self.counters.refused += 1
        return Overloaded(message, retry_after_s)

    def _refuse_banned(self, client: ClientId, now: float) -> None:
        if (wait_s := self._blame.banned_for_s(client, now)) > 0:
            self.counters.refused += 1
            raise RateLimited("too much of this key's audio crashed the engine", math.ceil(wait_s))

    def _occupied_s(self, client: ClientId | None = None) -> float:
        """Seconds of audio that wait or have room kept, of one client or of all."""
        reserved_s = waiting_s = 0.0
        for reservation in self._reservations.values():
            if client in (None, reservation.client):
                reserved_s += reservation.audio_s
        for ticket in self._waiting():
            has_own_room = ticket.job.reservation in self._reservations
            if client in (None, ticket.client) and not has_own_room:
                waiting_s += ticket.audio_s
        return reserved_s + waiting_s

    def _reserved_waiting_s(self, reservation: str | None) -> float:
        return sum(t.audio_s for t in self._waiting() if t.job.reservation == reservation)

    def _make_room(self, client: ClientId, wanted_s: float, audio_s: float) -> None:
        """Refuse, or shed waiting speculation until ``wanted_s`` more fit.

        ``audio_s`` is what counts against the client's own share.
        """
        settings = self._settings
        share_s = settings.queue_audio_s * (1.0 if client == ANONYMOUS else settings.key_share)
        own_s = self._occupied_s(client)
        if own_s and own_s + audio_s > share_s:
            raise self._refuse("this key's share of the queue is full", self._queue_retry_s())
        for kind in _SHEDDABLE:
            for ticket in reversed(list(self._queues[kind])):
                if self._fits(wanted_s):
                    return
                self._queues[kind].remove(ticket)
                self._fail(ticket, Superseded("more urgent work took its place"))
        if not self._fits(wanted_s):
            raise self._refuse("the queue is full", self._queue_retry_s())

    def _fits(self, wanted_s: float) -> bool:
        jobs = self.waiting_jobs + sum(not r.standing for r in self._reservations.values())
        occupied_s = self._occupied_s()
        # An empty queue takes any job, however small the bound was set.
        return jobs < self._settings.queue_jobs and (
            not occupied_s or occupied_s + wanted_s <= self._settings.queue_audio_s
        )

    def _queue_retry_s(self) -> int:
        return self.retry_after_s(self._load_ahead_s(None, JobKind.FILE))

    def _load_ahead_s(self, client: ClientId | None, kind: JobKind) -> float:
        """Return the load that runs before a new job of this client and kind.

        Clients take turns, so others count at most as much as this client's own work does.
        """
        loads: dict[ClientId, float] = {}
        order = list(JobKind)
        for ticket in self._waiting():
            if order.index(ticket.job.kind) <= order.index(kind):
                loads[ticket.client] = loads.get(ticket.client, 0.0) + ticket.load_s
        for reservation in self._reservations.values():
            if not reservation.standing:
                load_s = reservation.audio_s + JOB_OVERHEAD_S
                loads[reservation.client] = loads.get(reservation.client, 0.0) + load_s
        running_s = sum(ticket.load_s for ticket in self._in_flight()) / 2  # half done on average
        if client is None:
            return running_s + sum(loads.values())
        own_s = loads.pop(client, 0.0)
        turn_s = own_s + JOB_OVERHEAD_S
        return running_s + own_s + sum(min(load_s, turn_s) for load_s in loads.values())

    def _refuse_late(
        self, client: ClientId, kind: JobKind, load_s: float, max_wait_s: float | None, now: float
    ) -> None:
        if max_wait_s is None:
            return
        workers = max(1, self._workers.ready)
        ahead_s = self._load_ahead_s(client, kind) / workers * self.seconds_per_load
        late_s = ahead_s + load_s * self.seconds_per_load - max_wait_s
        # With nothing ahead the job is tried: the measured speed may be out of date.
        if late_s > 0 and ahead_s > 0:
            retry_after_s = max(1, min(MAX_RETRY_AFTER_S, math.ceil(late_s)))
            raise self._refuse("the wait would be longer than the deadline", retry_after_s)

    def _waiting_partial(self, utterance: str) -> Ticket | None:
        partials = self._queues[JobKind.PARTIAL]
        return next((t for t in partials if t.job.utterance == utterance), None)

    def _kinds_in_turn(self) -> list[JobKind]:
        """Most urgent first; files come first when their share is due, and only so many run."""
        live = (JobKind.FINAL, JobKind.SPECULATIVE, JobKind.PARTIAL)
        kinds: list[JobKind] = [kind for kind in live if self._queues[kind]]
        files = self._queues[JobKind.FILE]
        if not files:
            self._file_credit_s = 0.0
            return kinds
        running_files = sum(
            batch.tickets[0].job.kind is JobKind.FILE for batch in self._running.values()
        )
        if running_files >= max(1, self._workers.ready - 1):
            return kinds
        if self._file_credit_s >= min(ticket.load_s for ticket in files):
            return [JobKind.FILE, *kinds]
        return [*kinds, JobKind.FILE]

    def _may_run(self, ticket: Ticket) -> bool:
        """Whether a suspect would leave at least one ready worker of several untouched."""
        if not self._blame.is_suspect(ticket.job.utterance) or self._workers.size == 1:
            return True
        at_risk = sum(self._blame.is_suspect(t.job.utterance) for t in self._in_flight())
        return at_risk + 1 < self._workers.ready

    def _companions(self, first: Ticket) -> list[Ticket]:
        """Take more waiting jobs that may share a batch with the first one."""
        kind = first.job.kind
        limit = self.max_batch_jobs
        if kind is not JobKind.FINAL and kind is not JobKind.FILE:
            limit = min(limit, MAX_SMALL_BATCH_JOBS)
        wanted = batch_class(first.job)

        def fits(ticket: Ticket) -> bool:
            return (
                not ticket.alone
                and not self._blame.is_suspect(ticket.job.utterance)
                and batch_class(ticket.job) == wanted
            )

        taken: list[Ticket] = []
        while len(taken) + 1 < limit and (ticket := self._queues[kind].take(fits)):
            taken.append(ticket)
        return taken

    def _start(self, worker: str, kind: JobKind, tickets: list[Ticket], now: float) -> Batch:
        load_s = sum(ticket.load_s for ticket in tickets)
        if kind is JobKind.FILE:
            self._file_credit_s = max(0.0, self._file_credit_s - load_s)
        elif self._queues[JobKind.FILE]:
            earned_s = load_s * self._settings.file_share
            self._file_credit_s = min(MAX_FILE_CREDIT_S, self._file_credit_s + earned_s)
        batch = Batch(tuple(tickets), self.budget_s(tickets))
        for ticket in tickets:
            ticket.attempts += 1
            ticket.started_at = now
        self._running[worker] = batch
        return batch


def batch_class(job: Job) -> tuple[Options, int]:
    """Return what jobs must have in common to share a batch: options and length class."""
    return job.options, int(job.audio_s // BATCH_CLASS_STEP_S)
