"""Admission to the queue: bounds, reservations and deadlines. No I/O.

The queue is bounded in seconds of audio and in jobs, in total and for each key. When it is full,
waiting speculative finals and partials are shed first (they end as ``Superseded``), then new work
is rejected with a retry time. Other accepted jobs are never dropped for load. A job that an idle
worker would start immediately is never rejected.
"""

import itertools
from typing import Protocol

from auricle.errors import Overloaded
from auricle.limits import RESUME_HEADROOM
from auricle.types import ANONYMOUS, ClientId, Job, JobKind, ReservationRequest
from auricle.workers.asr.backlog import Backlog, Ticket
from auricle.workers.asr.speed import Speed, whole_seconds

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
    """Bounds of the queue; see :class:`~auricle.workers.asr.bounds.PoolBounds`."""

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
        """Maximum share of both bounds for one key, 0..1."""
        ...


class Admission:
    """Check room and waits; reads the backlog, which only the scheduler changes.

    Args:
        settings: Bounds of the queue.
        backlog: Jobs that wait and run.
        speed: Measured speed of the workers.
    """

    def __init__(self, settings: Bounds, backlog: Backlog, speed: Speed) -> None:
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
        """Return whether room is reserved for the job; consume a reservation that is not standing.

        The reservation of a job that was admitted upstream is at its gateway.
        """
        name, audio_s = job.reservation, job.audio_s
        if job.admitted_upstream:
            return self._has_room(None, UPSTREAM_BOUND, audio_s, [])
        if name is None or (reservation := self._reservations.get(name)) is None:
            return False
        if not reservation.standing:
            del self._reservations[name]
            return True
        waiting_s = sum(t.audio_s for t in self._backlog.waiting() if t.job.reservation == name)
        # A session's next final always has room, even if other clients keep the queue full.
        return not waiting_s or waiting_s + audio_s <= reservation.audio_s

    def make_room(self, request: ReservationRequest, kind: JobKind) -> list[Ticket]:
        """Return the tickets to shed so that a job or a reservation fits.

        Raises:
            Overloaded: It does not fit even after shedding, or would miss its deadline.
        """
        is_next = self.has_idle_worker(kind)
        if kind is JobKind.FILE:
            self.refuse_full_of_files(request.audio_s)
        if not is_next:
            self.refuse_late(request, kind)
        if is_next and not request.standing:  # a session reserves room for its whole duration
            return []
        return self.to_shed(request)

    def has_idle_worker(self, kind: JobKind) -> bool:
        """Return whether an idle worker would start the next job of this kind immediately."""
        ahead = sum(_URGENCY[t.job.kind] <= _URGENCY[kind] for t in self._backlog.waiting())
        ahead += sum(not room.standing for room in self._reservations.values())
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

        A new session must leave the part of the queue free that is for resumed ones.

        Raises:
            Overloaded: It does not fit even after shedding.
        """
        client, audio_s = request.client, request.audio_s
        is_new_session = request.standing and not request.resumed
        spare_s = self._settings.queue_audio_s * RESUME_HEADROOM if is_new_session else 0.0
        own = (
            client,
            self._settings.key_share,
            audio_s,
            "This key's share of the queue is full; try again later.",
        )
        all_of_it = (None, 1.0, audio_s + spare_s, "The queue is full; try again later.")
        bounds = [all_of_it] if client == ANONYMOUS else [own, all_of_it]
        shed: list[Ticket] = []
        for owner, share, wanted_s, why in bounds:
            left = [t for t in self._sheddable(owner) if t not in shed]
            while not self._has_room(owner, share, wanted_s, shed):
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
                "The wait would be longer than the deadline, max_wait_s.", whole_seconds(late_s)
            )

    def retry_after_s(self) -> int:
        """Return the time until the current backlog is done, in whole seconds."""
        return self._speed.retry_after_s(self._load_ahead_s(None, JobKind.FILE))

    def _sheddable(self, client: ClientId | None) -> list[Ticket]:
        """Return sheddable tickets of one client or of all: by :data:`SHEDDABLE`, newest first."""
        queues = self._backlog.queues
        newest_first = (t for kind in SHEDDABLE for t in reversed(list(queues[kind])))
        return [ticket for ticket in newest_first if client in (None, ticket.client)]

    def _has_room(
        self, client: ClientId | None, share: float, audio_s: float, shed: list[Ticket]
    ) -> bool:
        """Return whether another job fits; an empty queue accepts any job."""
        occupied_s, jobs = self._occupied(client, shed)
        fits_s = not occupied_s or occupied_s + audio_s <= self._settings.queue_audio_s * share
        return fits_s and (not jobs or jobs + 1 <= self._settings.queue_jobs * share)

    def _occupied(self, client: ClientId | None, shed: list[Ticket]) -> tuple[float, int]:
        """Return audio seconds and jobs that wait or are reserved, of one client or of all."""
        rooms = {n: r for n, r in self._reservations.items() if client in (None, r.client)}
        waiting_in_s = dict.fromkeys(rooms, 0.0)
        occupied_s, jobs = 0.0, sum(not room.standing for room in rooms.values())
        for ticket in self._backlog.waiting():
            if client not in (None, ticket.client) or ticket in shed:
                continue
            jobs += 1
            if (name := ticket.job.reservation) in waiting_in_s:
                waiting_in_s[name] += ticket.audio_s
            else:
                occupied_s += ticket.audio_s
        # More audio may wait for a standing reservation than it reserves: count all of it.
        occupied_s += sum(max(room.audio_s, waiting_in_s[name]) for name, room in rooms.items())
        return occupied_s, jobs

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
