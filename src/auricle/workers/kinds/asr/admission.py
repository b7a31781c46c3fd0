"""Admission to the queue: bounds, reservations and deadlines. No I/O.

The queue is bounded in seconds of audio and in jobs, in total and for each key. When it is full,
waiting speculative finals and partials are shed first (they end as ``Superseded``), then new work
is rejected with a retry time. Other accepted jobs are never dropped for load.

A key alone may use the whole queue. While others use it, a key has at most its share, and counts
for others at most with its share: what one key uploads or only announces never closes the queue to
others. A job of a key that has no other work is never rejected while a worker is idle.

Live sessions are admitted elsewhere (:mod:`auricle.server.live.admission`): their jobs always fit.
"""

import itertools
from dataclasses import dataclass
from typing import Protocol

from auricle.values.errors import Overloaded
from auricle.values.types import ANONYMOUS, ClientId, Job, JobKind, ReservationRequest
from auricle.workers.kinds.asr.backlog import Backlog, Ticket
from auricle.workers.kinds.asr.speed import Speed, whole_seconds

FILE_QUEUE_SHARE = 0.5
"""Maximum share of the queue for chunks of files: they can wait, and utterances cannot."""
WAIT_MARGIN = 1.3
"""Safety factor for expected waits, so that accepted jobs meet their deadline."""
UPSTREAM_BOUND = 2.0
"""Queue limit for jobs that a gateway admitted, as a multiple of the usual bounds.
Gateways do not coordinate exactly, so the recogniser needs a limit."""
SHEDDABLE = (JobKind.SPECULATIVE, JobKind.PARTIAL)
"""Kinds that are shed to make room for others, in this order."""

_URGENCY = {kind: rank for rank, kind in enumerate(JobKind)}


class Bounds(Protocol):
    """Bounds of the queue, such as :class:`~auricle.config.sections.queue.QueueSettings`."""

    @property
    def queue_audio_s(self) -> float:
        """Maximum audio, in seconds."""
        ...

    @property
    def queue_jobs(self) -> int:
        """Maximum number of jobs."""
        ...

    @property
    def key_share(self) -> float:
        """Maximum share of both bounds for one key while others use the queue, 0..1."""
        ...


@dataclass(slots=True)
class _Held:
    """What one client has in the queue, waiting or reserved."""

    audio_s: float = 0.0
    jobs: int = 0


class Admission:
    """Check room and waits; reads the backlog, which only the scheduler changes.

    Args:
        settings: Bounds of the queue.
        backlog: Jobs that wait and run.
        speed: Measured speed of the workers.
        uncapped: A client that counts for others with all that it has, such as other gateways.
    """

    def __init__(
        self, settings: Bounds, backlog: Backlog, speed: Speed, uncapped: ClientId | None = None
    ) -> None:
        self._uncapped = uncapped
        self._settings = settings
        self._backlog = backlog
        self._speed = speed
        self._reservations: dict[str, ReservationRequest] = {}
        self._ids = itertools.count(1)

    @property
    def reserved_audio_s(self) -> float:
        """Total reserved audio, in seconds."""
        return sum(reservation.audio_s for reservation in self._reservations.values())

    def keep(self, request: ReservationRequest) -> str:
        """Record a reservation and return its name."""
        name = f"r{next(self._ids)}"
        self._reservations[name] = request
        return name

    def release(self, name: str) -> None:
        """Release a reservation; unknown names are ignored."""
        self._reservations.pop(name, None)

    def claim(self, job: Job) -> bool:
        """Return whether the job is admitted already; consume a reservation that is not standing.

        The reservation of a job that was admitted upstream is at its gateway.
        """
        if job.admitted_upstream:
            return self._fits(job.client, job.audio_s, UPSTREAM_BOUND, 1.0, [])
        if job.reservation is None:
            return False
        reservation = self._reservations.get(job.reservation)
        if reservation is not None and not reservation.standing:
            del self._reservations[job.reservation]
        return reservation is not None

    def make_room(self, request: ReservationRequest, kind: JobKind) -> list[Ticket]:
        """Return the tickets to shed so that a job or a reservation fits.

        Raises:
            Overloaded: It does not fit even after shedding, or would miss its deadline.
        """
        if request.standing:
            return []
        is_next = self.has_idle_worker(request.client, kind)
        if kind is JobKind.FILE:
            self.refuse_full_of_files(request.audio_s)
        if not is_next:
            self.refuse_late(request, kind)
        if is_next and request.client not in self._holders():
            return []
        return self.to_shed(request)

    def has_others(self, client: ClientId) -> bool:
        """Return whether another key is live, or has work that waits, runs or is reserved."""
        live = {reservation.client for reservation in self._reservations.values()}
        return bool((live | self._holders()) - {client})

    def has_idle_worker(self, client: ClientId, kind: JobKind) -> bool:
        """Return whether an idle worker would start the next job of this client immediately.

        What others have only reserved may never come.
        """
        ahead = sum(_URGENCY[t.job.kind] <= _URGENCY[kind] for t in self._backlog.waiting())
        ahead += sum(r.client == client and not r.standing for r in self._reservations.values())
        return len(self._backlog.running) + ahead < self._speed.ready

    def refuse_full_of_files(self, audio_s: float) -> None:
        """Reject a chunk of a file when too many are waiting.

        Raises:
            Overloaded: The part of the queue for files is full.
        """
        waiting_s = sum(ticket.audio_s for ticket in self._backlog.queues[JobKind.FILE])
        max_s = self._settings.queue_audio_s * FILE_QUEUE_SHARE
        if waiting_s > 0 and waiting_s + audio_s > max_s:
            raise Overloaded(
                "The part of the queue for files is full; try again later.", self.retry_after_s()
            )

    def to_shed(self, request: ReservationRequest) -> list[Ticket]:
        """Return the tickets to shed so that the requested audio fits.

        Raises:
            Overloaded: It does not fit even after shedding.
        """
        client, audio_s = request.client, request.audio_s
        share = self._share_of(client)
        shed: list[Ticket] = []
        own = (client, "This key's share of the queue is full; try again later.")
        all_of_it = (None, "The queue is full; try again later.")
        for owner, why in [all_of_it] if client == ANONYMOUS else [own, all_of_it]:
            left = [t for t in self._sheddable(owner) if t not in shed]
            while not self._fits(client, audio_s, 1.0, share, shed, only_own=owner is not None):
                if not left:
                    raise Overloaded(why, self.retry_after_s())
                shed.append(left.pop(0))
        return shed

    def refuse_late(self, request: ReservationRequest, kind: JobKind) -> None:
        """Reject a job that would miss its deadline.

        Raises:
            Overloaded: The expected wait is longer than ``max_wait_s``.
        """
        if request.max_wait_s is None:
            return
        ahead_s = self._speed.wait_s(self._load_ahead_s(request.client, kind))
        own_s = self._speed.costs.load_s(request.audio_s) * self._speed.seconds_per_load
        late_s = (ahead_s + own_s) * WAIT_MARGIN - request.max_wait_s
        # With nothing ahead the job is accepted: the measured speed may be out of date.
        if late_s > 0 and ahead_s > 0:
            raise Overloaded(
                "The expected wait is longer than the deadline of this request, "
                f"{request.max_wait_s:g} s.",
                whole_seconds(late_s),
            )

    def retry_after_s(self) -> int:
        """Return the time until the current backlog is done, in whole seconds."""
        return self._speed.retry_after_s(self._load_ahead_s(None, JobKind.FILE))

    def _sheddable(self, client: ClientId | None) -> list[Ticket]:
        """Return sheddable tickets of one client or of all: by :data:`SHEDDABLE`, newest first."""
        queues = self._backlog.queues
        newest_first = (t for kind in SHEDDABLE for t in reversed(list(queues[kind])))
        return [ticket for ticket in newest_first if client in (None, ticket.client)]

    def _share_of(self, client: ClientId) -> float:
        """Return the share of the queue that a client may use: all, if no other uses it."""
        is_alone = client == ANONYMOUS or not self._holders() - {client}
        return 1.0 if is_alone else self._settings.key_share

    def _fits(
        self,
        client: ClientId,
        audio_s: float,
        bound: float,
        share: float,
        shed: list[Ticket],
        *,
        only_own: bool = False,
    ) -> bool:
        """Return whether another job of a client fits; one that has nothing in it always does.

        Args:
            client: The client.
            audio_s: Length of the job.
            bound: Multiple of the bounds of the whole queue.
            share: The client's part of them.
            shed: Tickets that will be removed.
            only_own: Whether only the client's part counts.
        """
        max_s, max_jobs = self._settings.queue_audio_s * bound, self._settings.queue_jobs * bound
        held = self._held(shed)
        own = held.pop(client, _Held())
        part_s, part_jobs = max_s * share, max_jobs * share
        if not own.jobs and (only_own or not held):
            return True
        if own.jobs and (own.audio_s + audio_s > part_s or own.jobs + 1 > part_jobs):
            return False
        if only_own:
            return True
        key_s = self._settings.queue_audio_s * self._settings.key_share
        key_jobs = self._settings.queue_jobs * self._settings.key_share
        uncapped = held.pop(self._uncapped, _Held()) if self._uncapped else _Held()
        others_s = uncapped.audio_s + sum(min(each.audio_s, key_s) for each in held.values())
        others_jobs = uncapped.jobs + sum(min(each.jobs, key_jobs) for each in held.values())
        fits_s = own.audio_s + others_s + audio_s <= max_s
        return fits_s and own.jobs + others_jobs + 1 <= max_jobs

    def _held(self, shed: list[Ticket]) -> dict[ClientId, _Held]:
        """Return what waits or is reserved, by client."""
        held: dict[ClientId, _Held] = {}
        for ticket in self._backlog.waiting():
            if ticket not in shed:
                each = held.setdefault(ticket.client, _Held())
                each.audio_s, each.jobs = each.audio_s + ticket.audio_s, each.jobs + 1
        for reservation in self._reservations.values():
            if not reservation.standing:
                each = held.setdefault(reservation.client, _Held())
                each.audio_s, each.jobs = each.audio_s + reservation.audio_s, each.jobs + 1
        return held

    def _holders(self) -> set[ClientId]:
        """Return the clients with work that waits, runs or is reserved."""
        clients = (
            reservation.client
            for reservation in self._reservations.values()
            if not reservation.standing
        )
        running = (ticket.client for ticket in self._backlog.in_flight())
        return {*clients, *running, *(ticket.client for ticket in self._backlog.waiting())}

    def _load_ahead_s(self, client: ClientId | None, kind: JobKind) -> float:
        """Return the load, in seconds, that runs before a new job of this client and kind.

        Clients take turns, so each other client counts for at most this client's own load.
        """
        costs = self._speed.costs
        loads: dict[ClientId, float] = {}
        for ticket in self._backlog.waiting():
            if _URGENCY[ticket.job.kind] <= _URGENCY[kind]:
                loads[ticket.client] = loads.get(ticket.client, 0.0) + costs.load_s(ticket.audio_s)
        for reservation in self._reservations.values():
            if not reservation.standing:
                load_s = costs.load_s(reservation.audio_s)
                loads[reservation.client] = loads.get(reservation.client, 0.0) + load_s
        # Running jobs are half done on average.
        running_s = self._speed.load_s(self._backlog.in_flight()) / 2
        if client is None:
            return running_s + sum(loads.values())
        own_s = loads.pop(client, 0.0)
        turn_s = costs.load_s(own_s)
        return running_s + own_s + sum(min(load_s, turn_s) for load_s in loads.values())
