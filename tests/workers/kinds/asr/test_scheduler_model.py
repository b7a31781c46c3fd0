"""The scheduler against a simple model of the whole pool, with events in any order.

Audio is identified by its length and its voice; some of it kills any worker that gets it. The
model keeps lists of what waits and runs, and writes down every death, so that it knows who may be
blamed.
"""

import math
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import BatchRules, CostModel
from auricle.values.errors import (
    AuricleError,
    DeadlineExceeded,
    Draining,
    Overloaded,
    PoisonJob,
    RateLimited,
    Superseded,
)
from auricle.values.types import (
    ANONYMOUS,
    ClientId,
    Job,
    JobId,
    JobKind,
    Options,
    ReservationRequest,
)
from auricle.workers.kinds.asr.backlog import Batch, Ticket
from auricle.workers.kinds.asr.scheduler import SUSPECT_PATIENCE_S, Scheduler
from auricle.workers.kinds.asr.speed import Speed, Workers
from tests.workers.kinds.asr.pool_model import (
    ATTEMPTS,
    DEADLY,
    FLOOR_S,
    KEY_SHARE,
    KEYS,
    LENGTHS_S,
    LIVE,
    MAX_BATCH_JOBS,
    POISON_S,
    QUEUE_JOBS,
    QUEUE_S,
    SHEDDABLE,
    SIZE,
    VOICES,
    WINDOW_S,
    WORKERS,
    Death,
    Model,
    Room,
    length_class,
    speech,
)

pytestmark = pytest.mark.unit


class Pool(RuleBasedStateMachine):
    """Workers that start, work, answer in part, hang and die, and callers that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.names = iter(range(10**9))
        self.model = Model()
        self.workers = Workers(SIZE)
        self.up: set[str] = set()
        self.it = Scheduler(
            QueueSettings(
                queue_audio_s=QUEUE_S,
                queue_jobs=QUEUE_JOBS,
                key_share=KEY_SHARE,
                poison_attempts=ATTEMPTS,
                poison_ttl_s=POISON_S,
                max_crashes_per_key=1,
                crash_window_s=WINDOW_S,
            ),
            batches=BatchRules(MAX_BATCH_JOBS),
            workers=self.workers,
            speed=Speed(FLOOR_S, job_timeout_factor=8, workers=self.workers, costs=CostModel()),
        )

    @initialize(
        up=st.sampled_from([1, 2, SIZE, SIZE]), ends_with_shutdown=st.sampled_from([0, 0, 1])
    )
    def begin(self, up: int, ends_with_shutdown: int) -> None:
        self.ends_with_shutdown = bool(ends_with_shutdown)
        for _ in range(up):
            self.become_ready()

    # What callers do.

    @rule(
        kind=st.sampled_from([JobKind.FINAL, *JobKind]),
        client=st.sampled_from(KEYS),
        seconds=LENGTHS_S,
        voice=VOICES,
        utterance=st.sampled_from(["", "", "u", "v"]),
        max_wait_s=st.sampled_from([None, None, 5.0, 60.0]),
        max_start_s=st.sampled_from([None, None, None, 3.0]),
        language=st.sampled_from(["en", "en", "de"]),
        data=st.data(),
    )
    def submit(
        self,
        kind: JobKind,
        client: ClientId,
        seconds: float,
        voice: int,
        utterance: str,
        max_wait_s: float | None,
        max_start_s: float | None,
        language: str,
        data: st.DataObject,
    ) -> None:
        own = [name for name, room in self.model.rooms.items() if room.client == client]
        room = data.draw(st.sampled_from([None, *own])) if kind is JobKind.FINAL else None
        job = Job(
            JobId(f"j{next(self.names)}"),
            speech(seconds, voice),
            Options(language=language),
            kind=kind,
            client=client,
            utterance=f"{client} {utterance}" if utterance else "",
            max_wait_s=max_wait_s,
            max_start_s=max_start_s,
            reservation=room,
        )
        before = list(self.model.waiting)
        uses_room = room is not None
        early = self.model.waiting_early(job)
        is_next = self.is_next(client, kind, early)
        try:
            ticket = self.it.submit(job, self.now)
        except (Overloaded, RateLimited, PoisonJob) as error:
            self.collect(Superseded)
            kept = [t for t in before if t in self.model.waiting or t is not early]
            assert self.model.waiting == kept or kind is JobKind.PARTIAL
            must_fit = uses_room or (is_next and kind is not JobKind.FILE)
            self.refused(error, client, seconds, kind, must_fit=must_fit)
            if isinstance(error, PoisonJob):
                self.check_guilt(job)
            return
        except Superseded:
            self.collect()
            assert kind in SHEDDABLE
            partials = [t for t in before if t.job.kind is JobKind.PARTIAL]
            room_for = BatchRules().max_optional_jobs * max(1, len(self.up))
            assert job.utterance in self.model.suspects or len(partials) >= room_for
            assert self.model.waiting == before
            return
        assert kind not in SHEDDABLE or job.utterance not in self.model.suspects
        shed = self.collect(Superseded)
        self.model.open.add(ticket)
        self.model.waiting.append(ticket)
        if early is not None:  # whose result would be that of the final
            assert "replaced" in str(self.errors[early])
            shed.remove(early)
        was_replaced = kind is JobKind.PARTIAL and any(
            old.job.kind is kind and old.job.utterance == job.utterance for old in shed
        )
        if was_replaced:
            assert len(shed) == 1
            index = before.index(shed[0])  # it has the place of the older one
            self.model.waiting = [*before[:index], ticket, *before[index + 1 :]]
        elif room is not None:
            assert not shed
            if not self.model.rooms[room].standing:
                del self.model.rooms[room]
        else:
            assert self.model.banned_until.get(client, 0.0) <= self.now
            if not is_next:
                self.check_bounds(client)
            if kind is not JobKind.PARTIAL:  # which also gives way to shorter ones
                self.check_shed(shed, client, ticket)

    @rule(
        client=st.sampled_from(KEYS),
        seconds=LENGTHS_S,
        standing=st.booleans(),
        max_wait_s=st.sampled_from([None, 30.0]),
    )
    def reserve(
        self, client: ClientId, seconds: float, standing: bool, max_wait_s: float | None
    ) -> None:
        fits_always = standing or self.is_next(client, JobKind.FINAL)
        try:
            name = self.it.reserve(
                ReservationRequest(client, seconds, max_wait_s=max_wait_s, standing=standing),
                self.now,
            )
        except (Overloaded, RateLimited) as error:
            assert not self.collect()
            self.refused(error, client, seconds, JobKind.FINAL, must_fit=fits_always)
            return
        shed = self.collect(Superseded)
        assert name not in self.model.rooms
        self.model.rooms[name] = Room(client, seconds, standing)
        assert self.model.banned_until.get(client, 0.0) <= self.now
        if fits_always:
            assert not shed
        else:
            self.check_bounds(client)
            self.check_shed(shed, client)

    @precondition(lambda self: self.model.rooms)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.model.rooms)))
        self.it.admission.release(name)
        del self.model.rooms[name]

    @precondition(lambda self: self.model.open)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        by_name = {str(ticket.job.id): ticket for ticket in self.model.open}
        ticket = by_name[data.draw(st.sampled_from(sorted(by_name)))]
        self.it.cancel(ticket)
        self.leave_behind(ticket)
        self.end(ticket)
        assert not self.collect()

    # What workers do.

    @precondition(lambda self: len(self.up) < SIZE)
    @rule()
    def become_ready(self) -> None:
        self.up.add(next(worker for worker in WORKERS if worker not in self.up))
        self.workers.ready = len(self.up)

    @precondition(lambda self: self.model.waiting and len(self.up) > len(self.model.running))
    @rule()
    def work(self) -> None:
        for worker in sorted(self.up - set(self.model.running)):
            self.take_work(worker)

    def take_work(self, worker: str) -> None:
        able = {ticket for ticket in self.model.waiting if self.may_be_risked(ticket)}
        batch = self.it.next_batch(worker, self.now)
        if batch is None:
            self.check_that_nothing_could_run(able)
            return
        tickets = list(batch.tickets)
        self.check_batch(batch, able)
        for ticket in tickets:
            self.model.waiting.remove(ticket)
            self.model.attempts[ticket] += 1
        self.model.running[worker] = tickets

    @precondition(lambda self: self.model.running)
    @rule(which=st.integers(0, SIZE - 1), broken=st.sampled_from([0, 0, 1, 2]))
    def finish(self, which: int, broken: int) -> None:
        """Answer, unless the audio kills the worker; invalid audio gets an answer, too."""
        worker = self.pick(which)
        if any(self.kills(ticket) for ticket in self.model.running[worker]):
            self.lose(worker, "SIGSEGV model.py:7 decode")
            return
        tickets = self.model.running.pop(worker)
        assert list(self.it.batch_done(worker, self.now).tickets) == tickets
        for index, ticket in enumerate(tickets):
            is_awaited = ticket in self.model.open
            assert self.it.settle(ticket, failed=index < broken) == is_awaited
            if is_awaited:
                self.model.counts["failed" if index < broken else "done"] += 1
                self.end(ticket)
            assert not self.it.settle(ticket)
            self.model.suspects.discard(ticket.job.utterance)
        assert not self.collect()

    @precondition(lambda self: self.model.running)
    @rule(
        which=st.integers(0, SIZE - 1),
        signature=st.sampled_from([None, "SIGSEGV other.py:1 f", "hung model.py:2 g"]),
    )
    def die(self, which: int, signature: str | None) -> None:
        """For any reason: killed from outside, out of memory, hung and given up, crashed."""
        self.lose(self.pick(which), signature)

    @precondition(lambda self: len(self.up) > len(self.model.running))
    @rule()
    def die_idle(self) -> None:
        self.lose(min(self.up - set(self.model.running)), None)

    def pick(self, which: int) -> str:
        return sorted(self.model.running)[which % len(self.model.running)]

    def lose(self, worker: str, signature: str | None) -> None:
        held = self.model.running.pop(worker, [])
        self.up.discard(worker)
        self.workers.ready = len(self.up)
        back = [ticket for ticket in held if ticket in self.model.open]
        alone = held[0] if len(held) == 1 else None
        if alone is not None:
            utterance = alone.job.utterance if back else ""
            self.model.deaths.append(Death(utterance, alone.job.pcm.tobytes(), signature))
        self.it.worker_died(worker, signature, self.now)
        failed = self.collect(PoisonJob, Superseded)
        returned = [ticket for ticket in back if ticket not in failed]
        self.model.waiting = [*returned, *self.model.waiting]
        self.model.counts["retried"] += len(returned)
        if alone is None:
            assert not failed
            self.model.died_with_others |= set(returned)
            return
        if self.it.counters.poison > self.model.counts["poison"]:
            self.model.counts["poison"] += 1
            self.check_guilt(alone.job)
            if alone.client != ANONYMOUS:
                self.model.banned_until[alone.client] = self.now + WINDOW_S
        if back and (returned or self.died_as(alone, Superseded)):
            self.model.suspects.add(alone.job.utterance)
        elif back:
            self.model.suspects.discard(alone.job.utterance)
            assert alone in failed

    # What time does.

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.it.poll(self.now)
        late = {ticket for ticket in self.model.open if self.due_at(ticket) <= self.now}
        for ticket in late:
            self.leave_behind(ticket)
        assert set(self.collect(DeadlineExceeded)) == late
        assert self.it.wake_at > self.now

    # What must hold.

    @invariant()
    def nothing_is_lost_or_doubled(self) -> None:
        waiting, running = list(self.it.backlog.waiting()), list(self.it.backlog.in_flight())
        assert len(set(waiting)) == len(waiting)
        assert set(waiting) == set(self.model.waiting)
        assert set(running) == {t for held in self.model.running.values() for t in held}
        assert self.model.open <= {*waiting, *running}
        assert self.it.backlog.waiting_jobs == len(waiting)
        assert self.it.backlog.waiting_audio_s == pytest.approx(sum(t.audio_s for t in waiting))

    @invariant()
    def rooms_are_kept_and_given_back(self) -> None:
        kept_s = sum(room.audio_s for room in self.model.rooms.values())
        assert self.it.admission.reserved_audio_s == pytest.approx(kept_s)

    @invariant()
    def the_next_deadline_is_known(self) -> None:
        deadlines = map(self.due_at, self.model.open)
        assert self.it.wake_at == min(deadlines, default=math.inf)

    @invariant()
    def counters_tell_what_happened(self) -> None:
        told = {name: getattr(self.it.counters, name) for name in self.model.counts}
        assert told == dict(self.model.counts)

    def teardown(self) -> None:
        """All waiting jobs are answered once workers are ready again, and all room is released."""
        if self.ends_with_shutdown:
            unanswered = set(self.model.open)
            self.it.drain(lambda: Draining("closing", 5))
            assert set(self.collect(Draining)) == unanswered
        for _ in range(60):
            if not self.model.waiting and not self.model.running:
                break
            while len(self.up) < SIZE:
                self.become_ready()
            self.work()
            while self.model.running:
                self.finish(0, broken=0)
            self.nothing_is_lost_or_doubled()
        assert not self.model.open
        assert not self.model.waiting
        for name in self.model.rooms:
            self.it.admission.release(name)
        assert self.it.admission.reserved_audio_s == 0

    # How the model judges.

    def is_next(self, client: ClientId, kind: JobKind, early: Ticket | None = None) -> bool:
        """Whether a client without other work sends a job that would be started at once."""
        urgency = list(JobKind).index
        ahead = [t for t in self.model.waiting if urgency(t.job.kind) <= urgency(kind)]
        has_other_work = client in self.model.holders(without=[early] if early else [])
        return not has_other_work and len(self.model.running) + len(ahead) < len(self.up)

    def due_at(self, ticket: Ticket) -> float:
        """Return when a job fails: at its deadline, or if it waits too long for its start."""
        if ticket not in self.model.waiting or ticket.job.max_start_s is None:
            return ticket.deadline_at
        return min(ticket.deadline_at, ticket.submitted_at + ticket.job.max_start_s)

    def kills(self, ticket: Ticket) -> bool:
        return int(ticket.job.pcm[0]) == DEADLY

    def end(self, ticket: Ticket) -> None:
        self.model.open.remove(ticket)  # a KeyError would be a second ending
        if ticket in self.model.waiting:
            self.model.waiting.remove(ticket)

    def leave_behind(self, ticket: Ticket) -> None:
        if ticket in self.model.waiting:
            self.model.suspects.discard(ticket.job.utterance)

    def collect(self, *expected: type[AuricleError]) -> list[Ticket]:
        """Take what has failed; each must have had a reason."""
        failed = []
        self.errors: dict[Ticket, AuricleError] = {}
        while (failure := self.it.next_failure()) is not None:
            ticket, error = failure.ticket, failure.error
            assert isinstance(error, expected), error
            if isinstance(error, PoisonJob):
                self.check_guilt(ticket.job)
            if isinstance(error, Superseded):
                assert ticket.job.kind in SHEDDABLE  # what is accepted is never dropped for load
            else:
                self.model.counts["failed"] += 1
            self.end(ticket)
            failed.append(ticket)
            self.errors[ticket] = error
        return failed

    def died_as(self, ticket: Ticket, error: type[AuricleError]) -> bool:
        return isinstance(self.errors.get(ticket), error)

    def refused(
        self,
        error: AuricleError,
        client: ClientId,
        seconds: float,
        kind: JobKind,
        *,
        must_fit: bool,
    ) -> None:
        """A job rejected for lack of room would not fit even after shedding."""
        self.model.counts["refused"] += 1
        if isinstance(error, RateLimited):
            left_s = self.model.banned_until[client] - self.now
            assert error.retry_after_s == math.ceil(left_s) > 0
        if not isinstance(error, Overloaded):
            return
        assert not must_fit
        assert error.retry_after_s >= 1
        new = [(client, seconds)]
        if "share" in str(error):
            assert client != ANONYMOUS
            held = self.model.held(new, without=self.model.sheddable(client))
            assert not self.model.is_within_share(client, held, self.model.holders())
        elif "files" in str(error):
            files_s = sum(t.audio_s for t in self.model.waiting if t.job.kind is JobKind.FILE)
            assert kind is JobKind.FILE
            assert files_s
            assert files_s + seconds > QUEUE_S / 2
        elif "deadline" in str(error):
            running = [t for held in self.model.running.values() for t in held]
            assert running or self.model.waiting or self.model.rooms
        else:
            held = self.model.held(new, without=self.model.sheddable())
            assert not self.model.is_within_queue(client, held)

    def check_guilt(self, job: Job) -> None:
        """Only audio that was alone on workers that died is quarantined."""
        audio = job.pcm.tobytes()
        of_audio = [death for death in self.model.deaths if death.audio == audio]
        assert of_audio
        utterances = {death.utterance for death in of_audio}
        strikes = [
            death
            for death in self.model.deaths
            if death.audio == audio or death.utterance in utterances
        ]
        signatures = Counter(death.signature for death in strikes if death.signature)
        assert len(strikes) >= ATTEMPTS or max(signatures.values(), default=0) >= 2

    def check_bounds(self, client: ClientId) -> None:
        """The work of a client that was just admitted is within its bounds."""
        held = self.model.held()
        assert self.model.is_within_share(client, held, self.model.holders())
        assert self.model.is_within_queue(client, held)

    def check_shed(self, shed: list[Ticket], client: ClientId, new: Ticket | None = None) -> None:
        """Without the last of them there was no room; speculation is shed before partials."""
        if not shed:
            return
        last = shed[-1]
        held = self.model.held([(last.client, last.audio_s)])
        holders = self.model.holders() | {ticket.client for ticket in shed}
        has_share = self.model.is_within_share(client, held, holders)
        assert not has_share or not self.model.is_within_queue(client, held)
        for ticket in shed:
            if ticket.job.kind is JobKind.PARTIAL:
                left = self.model.sheddable(ticket.client)
                assert all(t is new or t.job.kind is JobKind.PARTIAL for t in left)

    def check_batch(self, batch: Batch, able: set[Ticket]) -> None:
        tickets = list(batch.tickets)
        first, kind = tickets[0], tickets[0].job.kind
        most = {JobKind.FINAL: BatchRules().max_final_jobs, JobKind.FILE: MAX_BATCH_JOBS}
        assert len(tickets) <= most.get(kind, BatchRules().max_optional_jobs)
        assert batch.budget_s >= FLOOR_S * 2 ** max(self.model.attempts[t] for t in tickets)
        for ticket in tickets:
            assert ticket in able
            assert ticket.job.kind is kind
            assert ticket.job.options == first.job.options
            assert kind is JobKind.FILE or length_class(ticket) == length_class(first)
            is_suspect = ticket.job.utterance in self.model.suspects
            assert len(tickets) == 1 or not is_suspect
            assert len(tickets) == 1 or ticket not in self.model.died_with_others
        for other in self.model.waiting[: self.model.waiting.index(first)]:
            if (other.client, other.job.kind) == (first.client, kind):  # first come, first served
                assert other in tickets or other not in able
        if kind is JobKind.FILE:
            assert self.running_files() < max(1, len(self.up) - 1)
            return
        assert self.leaves_room(kind)
        for other in self.model.waiting:
            if other.job.kind in LIVE[: LIVE.index(kind)]:
                assert other not in able

    def running_files(self) -> int:
        return sum(held[0].job.kind is JobKind.FILE for held in self.model.running.values())

    def leaves_room(self, kind: JobKind) -> bool:
        """Whether a worker stays free for a final when one more of them starts this work."""
        if kind not in SHEDDABLE or len(self.up) == 1:
            return True
        running = Counter(held[0].job.kind for held in self.model.running.values())
        if kind is JobKind.SPECULATIVE:  # partials and files do not count
            return running[JobKind.FINAL] + running[JobKind.SPECULATIVE] + 1 < len(self.up)
        return running.total() + 1 < len(self.up)

    def may_be_risked(self, ticket: Ticket) -> bool:
        """A suspect takes the last ready worker only when a minute of waiting hasn't helped."""
        if ticket.job.utterance not in self.model.suspects:
            return True
        running = [t for held in self.model.running.values() for t in held]
        at_risk = sum(t.job.utterance in self.model.suspects for t in running)
        waited_s = self.now - max(ticket.submitted_at, ticket.started_at)
        if at_risk + 1 < len(self.up):
            return True
        return not at_risk and waited_s >= SUSPECT_PATIENCE_S

    def check_that_nothing_could_run(self, able: set[Ticket]) -> None:
        """A free worker and a waiting job never coexist, except suspects, optional work, files."""
        able = {ticket for ticket in able if self.leaves_room(ticket.job.kind)}
        assert all(ticket.job.kind is JobKind.FILE for ticket in able)
        assert not able or self.running_files() >= max(1, len(self.up) - 1)


TestPool = Pool.TestCase
TestPool.settings = settings(max_examples=120, stateful_step_count=40)
