"""Decide which job runs next, and which is rejected, retried or quarantined. No I/O, no clock.

Jobs wait in one fair queue for each kind. A worker that becomes idle takes waiting jobs of one
batch class, as many as the batch rules of the engine allow; there is no batching timer. Quantities
are seconds of audio; names that end in ``_at``, and arguments named ``now``, are monotonic seconds.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import BatchRules
from auricle.values.errors import (
    AuricleError,
    DeadlineExceeded,
    Overloaded,
    PoisonJob,
    RateLimited,
    Superseded,
)
from auricle.values.transcriber import Counters, QueueStats
from auricle.values.types import ClientId, Job, JobKind, ReservationRequest
from auricle.workers.kinds.asr.admission import SHEDDABLE, Admission
from auricle.workers.kinds.asr.backlog import Backlog, Batch, Ticket, batch_class, is_early
from auricle.workers.kinds.asr.speed import Speed, Workers
from auricle.workers.poison import CrashBudget, PoisonTracker, fingerprint

MAX_FILE_CREDIT_S = 60.0
"""Maximum credit that files accumulate while live speech keeps the workers busy."""
LIVE_LATELY_S = 10.0
"""If only one worker is ready, file batches stay small for this time after the latest live job,
because a live final waits for the end of a batch."""
OTHERS_WAIT_S = 3.0
"""Maximum usual time of a batch of more than two finals of a crowd, see :meth:`Scheduler._crowd`: a
final of another key waits for its end."""
SUSPECT_PATIENCE_S = 60.0
"""Maximum time that a suspect waits for a second ready worker, which may never start (such as for
lack of memory)."""

_LIVE = (JobKind.FINAL, JobKind.SPECULATIVE, JobKind.PARTIAL)


@dataclass(frozen=True, slots=True)
class Failure:
    """A ticket that ended without a transcript."""

    ticket: Ticket
    error: AuricleError


class Scheduler:
    """Schedule jobs: queue, admission, batches and quarantine.

    After each call, drain :meth:`next_failure`; call :meth:`poll` at :attr:`wake_at`.

    Args:
        settings: Bounds and shares.
        batches: Which jobs may share a batch.
        workers: Number of workers, shared with the pool.
        speed: Measured speed of the workers.
        crash_budget: Shared with other pools; ``None`` creates one for this scheduler.
    """

    def __init__(
        self,
        settings: QueueSettings,
        *,
        batches: BatchRules,
        workers: Workers,
        speed: Speed,
        crash_budget: CrashBudget | None = None,
    ) -> None:
        self._settings = settings
        self._batches = batches
        self._workers = workers
        self.speed = speed
        self.backlog = Backlog()
        self.admission = Admission(settings, self.backlog, speed)
        self._failures: list[Failure] = []
        self._crash_budget = crash_budget or CrashBudget.of(settings)
        self._poison = PoisonTracker(
            settings.poison_attempts, settings.poison_ttl_s, self._crash_budget
        )
        self._file_credit_s = 0.0
        self._live_at = -math.inf
        self.counters = Counters()

    # Admission.

    def reserve(self, request: ReservationRequest, now: float) -> str:
        """Reserve queue room for future audio, and return the reservation's name.

        Raises:
            Overloaded: There is no room, or the wait would be longer than ``max_wait_s``.
            RateLimited: The client's crash budget is exhausted.
        """
        self._refuse_banned(request.client, now)
        self._make_room(request, JobKind.FINAL)
        return self.admission.keep(request)

    def submit(self, job: Job, now: float) -> Ticket:
        """Accept a job.

        Raises:
            Overloaded: There is no room for the job, or its deadline cannot be met.
            PoisonJob: The audio is in quarantine.
            RateLimited: The client's crash budget is exhausted.
            Superseded: A partial or speculative final of an utterance that crashed a worker, or too
                many partials are waiting.
        """
        try:
            self._poison.refuse_poison(job.pcm, now)
        except PoisonJob:
            self.counters.refused += 1
            raise
        if job.kind in SHEDDABLE and self._poison.is_suspect(job.utterance):
            raise Superseded("this utterance crashed a worker; only its final is retried")
        deadline_at = math.inf if job.max_wait_s is None else now + job.max_wait_s
        start_by = math.inf if job.max_start_s is None else now + job.max_start_s
        ticket = Ticket(job, now, deadline_at, start_by)
        if job.kind is JobKind.FINAL and (early := self.backlog.waiting_early(job)):
            self.backlog.remove(early)
            self._fail(early, Superseded("replaced by the final"))
        if job.kind is JobKind.PARTIAL:
            if older := self.backlog.waiting_partial(job):
                self.backlog.queues[JobKind.PARTIAL].replace(older, ticket)
                self._fail(older, Superseded("replaced by a newer partial"))
                return ticket
            self._make_room_for_partial(job)
        if not self.admission.claim(job):
            self._refuse_banned(job.client, now)
            self._make_room(ReservationRequest(job.client, job.audio_s, job.max_wait_s), job.kind)
        self.backlog.queues[job.kind].push(ticket)
        if job.kind in _LIVE:
            self._live_at = now
        return ticket

    def running_twin(self, job: Job) -> Ticket | None:
        """Return the running speculative job whose result is that of a final, if there is one."""
        running = (t for t in self.backlog.in_flight() if not t.is_settled)
        return next((ticket for ticket in running if is_early(ticket.job, job)), None)

    def cancel(self, ticket: Ticket) -> None:
        """Cancel a job: remove it if it waits, ignore its result if it runs."""
        ticket.is_settled = True
        if self.backlog.remove(ticket):
            self._poison.carry_over(ticket.job.utterance, ticket.job.pcm)

    # Work.

    def next_batch(self, worker: str, now: float) -> Batch | None:
        """Start and return the next batch for this idle worker, or ``None``."""
        for kind in self._kinds_in_turn():
            if not self._leaves_room(kind):
                continue
            first = self.backlog.queues[kind].take(partial(self._may_run, now))
            if first is None:
                continue
            tickets = [first]
            if not first.alone and not self._poison.is_suspect(first.job.utterance):
                tickets += self._companions(first, now)
            return self._start(worker, kind, tickets, now)
        return None

    def batch_done(self, worker: str, now: float) -> Batch:
        """Record that a worker finished; return its batch, whose tickets the caller settles."""
        batch = self.backlog.running.pop(worker)
        load_s = self.speed.load_s(batch.tickets)
        self.speed.observe((now - batch.tickets[0].started_at) / load_s)
        for ticket in batch.tickets:
            self._poison.clear(ticket.job.utterance)
        return batch

    def settle(self, ticket: Ticket, *, failed: bool = False) -> bool:
        """Mark a ticket as answered; return whether its caller is still waiting."""
        waiting, ticket.is_settled = not ticket.is_settled, True
        if waiting and failed:
            self.counters.failed += 1
        elif waiting:
            self.counters.done += 1
        return waiting

    def worker_died(
        self, worker: str, signature: str | None, now: float, *, is_blamed: bool = True
    ) -> None:
        """Requeue or quarantine the jobs of a worker that died.

        Args:
            worker: The worker; it may have had no jobs.
            signature: Crash signature; ``None`` if no frame is known.
            now: Monotonic seconds.
            is_blamed: Whether its job may be the cause.
        """
        batch = self.backlog.running.pop(worker, None)
        if batch is None:
            return
        was_alone = is_blamed and len(batch.tickets) == 1
        for ticket in reversed(batch.tickets):
            blamed = ticket.job.utterance
            if ticket.is_settled:  # see PoisonTracker.carry_over
                blamed = fingerprint(ticket.job.pcm).hex()
            if was_alone and self._poison.record_crash(blamed, signature):
                self._quarantine(ticket, blamed, now)
            elif was_alone and self._poison.is_poison(ticket.job.pcm, now):
                self._poison.clear(blamed)
                self._refuse_poison(ticket)
            elif ticket.is_settled:
                continue
            elif was_alone and ticket.job.kind in SHEDDABLE:
                self._fail(ticket, Superseded("it crashed a worker; only the final is retried"))
            else:
                ticket.alone |= is_blamed
                self.counters.retried += 1
                self.backlog.queues[ticket.job.kind].push_front(ticket)

    def drain(self, error: Callable[[], AuricleError]) -> None:
        """Fail all jobs that wait or run."""
        for ticket in [*self.backlog.waiting(), *self.backlog.in_flight()]:
            self.backlog.remove(ticket)
            if not ticket.is_settled:
                self._fail(ticket, error())

    # Time.

    @property
    def wake_at(self) -> float:
        """Time of the next deadline, at which to call :meth:`poll`; infinity if there is none."""
        running = (t.deadline_at for t in self.backlog.in_flight() if not t.is_settled)
        waiting = (min(t.deadline_at, t.start_by) for t in self.backlog.waiting())
        return min((*running, *waiting), default=math.inf)

    def poll(self, now: float) -> None:
        """Fail jobs whose deadline has passed."""
        late = [t for t in self.backlog.waiting() if min(t.deadline_at, t.start_by) <= now]
        for ticket in [*late, *self.backlog.in_flight()]:
            if (ticket in late or ticket.deadline_at <= now) and not ticket.is_settled:
                if self.backlog.remove(ticket):
                    self._poison.carry_over(ticket.job.utterance, ticket.job.pcm)
                after_s = self.admission.retry_after_s()
                self._fail(
                    ticket,
                    DeadlineExceeded(retry_after_s=after_s),
                )

    def next_failure(self) -> Failure | None:
        """Return the oldest undelivered failure, once; ``None`` if there is none."""
        return self._failures.pop(0) if self._failures else None

    def stats(self) -> QueueStats:
        """Return the jobs that wait and run."""
        running, files = list(self.backlog.in_flight()), self.backlog.queues[JobKind.FILE]
        return QueueStats(
            waiting_jobs=self.backlog.waiting_jobs,
            running_jobs=len(running),
            waiting_audio_s=self.backlog.waiting_audio_s,
            running_audio_s=sum(ticket.audio_s for ticket in running),
            waiting_file_jobs=len(files),
            waiting_file_audio_s=sum(ticket.audio_s for ticket in files),
            max_audio_s=self._settings.queue_audio_s,
            reserved_audio_s=self.admission.reserved_audio_s,
        )

    # Internals.

    def _fail(self, ticket: Ticket, error: AuricleError) -> None:
        ticket.is_settled = True
        self.counters.failed += not isinstance(error, Superseded)
        self._failures.append(Failure(ticket, error))

    def _quarantine(self, ticket: Ticket, blamed: str, now: float) -> None:
        self.counters.poison += 1
        self._poison.quarantine(ticket.client, ticket.job.pcm, now)
        self._poison.clear(blamed)
        self._refuse_poison(ticket)
        # Jobs with the same audio would crash as many workers again.
        poison = fingerprint(ticket.job.pcm)
        for other in list(self.backlog.waiting()):
            if other.audio_s == ticket.audio_s and fingerprint(other.job.pcm) == poison:
                self.backlog.remove(other)
                self._refuse_poison(other)

    def _refuse_poison(self, ticket: Ticket) -> None:
        if not ticket.is_settled:
            self._fail(ticket, PoisonJob("This audio crashed the engine repeatedly."))

    def _refuse_banned(self, client: ClientId, now: float) -> None:
        try:
            self._crash_budget.refuse_exhausted(client, now)
        except RateLimited:
            self.counters.refused += 1
            raise

    def _make_room(self, request: ReservationRequest, kind: JobKind) -> None:
        try:
            shed = self.admission.make_room(request, kind)
        except Overloaded:
            self.counters.refused += 1
            raise
        for ticket in shed:
            self.backlog.remove(ticket)
            self._fail(ticket, Superseded("displaced by more urgent work"))

    def _make_room_for_partial(self, job: Job) -> None:
        """Limit the number of waiting partials; one that waits long is out of date.

        The longest is dropped: a speaker who has just started has not seen any text yet.

        Raises:
            Superseded: The new partial is the longest; retry with newer audio.
        """
        partials = self.backlog.queues[JobKind.PARTIAL]
        if len(partials) < self._batches.max_optional_jobs * max(1, self._workers.ready):
            return
        longest = max(partials, key=lambda ticket: ticket.audio_s)
        if longest.audio_s <= job.audio_s:
            raise Superseded("too many partials are waiting; retry with newer audio")
        self.backlog.remove(longest)
        self._fail(longest, Superseded("displaced by a shorter partial"))

    def _kinds_in_turn(self) -> list[JobKind]:
        """Return job kinds in scheduling order.

        The most urgent kind is first; files are first when their share is due, and left out when
        the maximum number of workers run files.
        """
        kinds: list[JobKind] = [kind for kind in _LIVE if self.backlog.queues[kind]]
        files = self.backlog.queues[JobKind.FILE]
        if not files:
            self._file_credit_s = 0.0
            return kinds
        running_files = sum(
            batch.tickets[0].job.kind is JobKind.FILE for batch in self.backlog.running.values()
        )
        if running_files >= (self._settings.file_workers or max(1, self._workers.ready - 1)):
            return kinds
        if self._file_credit_s >= min(self.speed.load_s([ticket]) for ticket in files):
            return [JobKind.FILE, *kinds]
        return [*kinds, JobKind.FILE]

    def _leaves_room(self, kind: JobKind) -> bool:
        """Return whether work of this kind may start: optional work leaves a worker for finals.

        A speculative final is probably a final, so only other finals keep it from starting.
        """
        if kind not in SHEDDABLE or self._workers.ready <= 1:
            return True
        running = [batch.tickets[0].job.kind for batch in self.backlog.running.values()]
        if kind is JobKind.SPECULATIVE:
            running = [each for each in running if each in (JobKind.FINAL, JobKind.SPECULATIVE)]
        return len(running) + 1 < self._workers.ready

    def _may_run(self, now: float, ticket: Ticket) -> bool:
        """Return whether a ticket may run; a suspect must leave one ready worker without suspects.

        A pool of one worker, and a suspect that has waited too long, are exempt.
        """
        if not self._poison.is_suspect(ticket.job.utterance) or self._workers.size == 1:
            return True
        at_risk = sum(self._poison.is_suspect(t.job.utterance) for t in self.backlog.in_flight())
        waited_s = now - max(ticket.submitted_at, ticket.started_at)
        is_stuck = not at_risk and waited_s >= SUSPECT_PATIENCE_S
        return is_stuck or at_risk + 1 < self._workers.ready

    def _companions(self, first: Ticket, now: float) -> list[Ticket]:
        """Take further waiting jobs that fit into a batch with the first one."""
        kind = first.job.kind
        limit = self._batches.max_jobs
        if kind is JobKind.FINAL:
            waiting = 1 + len(self.backlog.queues[kind])
            share = math.ceil(waiting / max(1, self._workers.ready))
            share = max(self._batches.max_optional_jobs, share)
            limit = min(limit, share, self._batches.max_final_jobs)
        elif kind is not JobKind.FILE or self._shares_one_worker(now):
            limit = min(limit, self._batches.max_optional_jobs)
        wanted_class = batch_class(first.job, self._batches)
        crowd = self._crowd(first) if kind is JobKind.FINAL else None
        taken: list[Ticket] = []

        def leaves_others_on_time(ticket: Ticket) -> bool:
            if crowd is None or ticket.client != crowd:
                return True
            batch = [first, *taken, ticket]
            is_small = len(batch) <= self._batches.max_optional_jobs
            is_own = first.client == crowd
            return is_own and (is_small or self.speed.usual_s(batch) <= OTHERS_WAIT_S)

        def fits(ticket: Ticket) -> bool:
            return (
                not ticket.alone
                and not self._poison.is_suspect(ticket.job.utterance)
                and batch_class(ticket.job, self._batches) == wanted_class
                and leaves_others_on_time(ticket)
            )

        # Chunks of files are picked by length: batches of equal length need the least padding.
        rank = _distance_from(first) if kind is JobKind.FILE else None
        while len(taken) + 1 < limit and (ticket := self.backlog.queues[kind].take(fits, rank)):
            taken.append(ticket)
        return taken

    def _crowd(self, first: Ticket) -> ClientId | None:
        """Return the key with most of the waiting finals, if other keys would wait for them.

        Keys take turns, but a final of another key waits for the end of the batch that runs, and
        for all jobs in the batch that it is part of.

        Args:
            first: The final that is next.
        """
        finals = self.backlog.queues[JobKind.FINAL]
        if len(finals) <= self._batches.max_final_jobs:
            return None
        [(client, waiting)] = Counter(ticket.client for ticket in finals).most_common(1)
        has_most = 2 * waiting > len(finals)
        has_others = first.client != client or self.admission.has_others(client)
        return client if has_most and has_others else None

    def _shares_one_worker(self, now: float) -> bool:
        """Return whether live jobs and files share a single worker."""
        return self._workers.ready <= 1 and now - self._live_at < LIVE_LATELY_S

    def _start(self, worker: str, kind: JobKind, tickets: list[Ticket], now: float) -> Batch:
        load_s = self.speed.load_s(tickets)
        if kind is JobKind.FILE:
            self._file_credit_s = max(0.0, self._file_credit_s - load_s)
        elif self.backlog.queues[JobKind.FILE]:
            earned_s = load_s * self._settings.file_share
            self._file_credit_s = min(MAX_FILE_CREDIT_S, self._file_credit_s + earned_s)
        batch = Batch(tuple(tickets), self.speed.budget_s(tickets), self.speed.overdue_s(tickets))
        for ticket in tickets:
            ticket.attempts += 1
            ticket.started_at = now
        self.backlog.running[worker] = batch
        return batch


def _distance_from(first: Ticket) -> Callable[[Ticket], float]:
    return lambda ticket: abs(ticket.audio_s - first.audio_s)
