"""Admission and reservations of a gateway. No I/O, no clock.

The rules are those of the pool (:mod:`auricle.workers.kinds.asr.admission`), with less information.
A gateway knows its own jobs, but not which of them run already; it knows other gateways' jobs only
from the recognisers' latest reports. Audio of other gateways that waits counts as one reservation,
and a gateway admits at most its share of the recognisers' queues.
"""

import math
from dataclasses import dataclass

from auricle.cluster.gateway.view import ModelCapacity
from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import CostModel
from auricle.values.errors import Overloaded
from auricle.values.types import ClientId, Job, JobKind, ReservationRequest
from auricle.workers.kinds.asr.admission import Admission
from auricle.workers.kinds.asr.backlog import Backlog, Ticket
from auricle.workers.kinds.asr.speed import Speed, Workers

OTHERS = ClientId("\0others")
"""Client ID for the work of other gateways; no key has such a name."""


@dataclass(slots=True)
class _Bounds:
    """This gateway's share of the queues, in place of a pool's settings."""

    queue_audio_s: float
    queue_jobs: int
    key_share: float


class GatewayAdmission:
    """Decide which jobs and reservations of one model a gateway accepts.

    Args:
        settings: Maximum jobs in flight (``queue_jobs``), and maximum share of the queue for a key.
        gateways: Number of gateways that share the recognisers.
        costs: How long the engine's jobs take.
    """

    def __init__(self, settings: QueueSettings, gateways: int, costs: CostModel) -> None:
        self._gateways = gateways
        self._bounds = _Bounds(0.0, settings.queue_jobs, settings.key_share)
        self._workers = Workers(0)
        self._speed = Speed(1.0, 1.0, self._workers, costs)
        self._backlog = Backlog()
        self._admission = Admission(self._bounds, self._backlog, self._speed, uncapped=OTHERS)
        self._standing: set[str] = set()
        self._others: str | None = None
        self._others_s = 0.0

    @property
    def reserved_audio_s(self) -> float:
        """Audio reserved by this gateway, in seconds."""
        return self._admission.reserved_audio_s - self._others_s

    @property
    def in_flight(self) -> list[Ticket]:
        """Jobs that were sent and not answered yet."""
        return list(self._backlog.waiting())

    def update(self, fleet: ModelCapacity) -> None:
        """Update the capacity from the sum of the recognisers' latest reports."""
        self._workers.ready = self._workers.size = fleet.ready_workers
        if fleet.seconds_per_audio_s > 0:
            self._speed.seconds_per_load = fleet.seconds_per_audio_s
        own_s, queue = self._backlog.waiting_audio_s, fleet.queue
        self._reserve_for_others(max(0.0, queue.waiting_audio_s - own_s))
        part_s = min(queue.max_audio_s / self._gateways + self._others_s, queue.max_audio_s)
        # Running audio uses no queue room, but our own backlog does not show which jobs run.
        self._bounds.queue_audio_s = part_s + min(own_s, queue.running_audio_s)

    def reserve(self, request: ReservationRequest) -> tuple[str, list[Ticket]]:
        """Reserve room; return the reservation's name, and the tickets to shed.

        Raises:
            Overloaded: There is no room, or the wait would be longer than ``max_wait_s``.
        """
        if request.standing:
            name = self._admission.keep(request)
            self._standing.add(name)
            return name, []
        self._admission.refuse_late(request, JobKind.FINAL)
        shed = self._admission.to_shed(request)
        return self._admission.keep(request), shed

    def release(self, name: str) -> None:
        """Release a reservation; unknown names are ignored."""
        if name != self._others:
            self._admission.release(name)
            self._standing.discard(name)

    def has_standing_reservation(self, job: Job) -> bool:
        """Return whether the job belongs to a live session, whose finals must be answered."""
        return job.reservation in self._standing

    def open(self, job: Job, now: float) -> tuple[Ticket, bool]:
        """Record a job; return its ticket, and whether it has a reservation.

        The recognisers decide on jobs without one, because they know their queues.

        Raises:
            Overloaded: The maximum number of jobs is in flight.
        """
        # A session's reservation covers all its finals: they are few, and must be answered.
        is_reserved = self._admission.claim(job)
        is_reserved |= self.has_standing_reservation(job)
        if not is_reserved and self._backlog.waiting_jobs >= self._bounds.queue_jobs:
            load_s = self._speed.load_s(self._backlog.waiting())
            raise Overloaded(
                "The gateway has sent as many jobs as it may; try again later.",
                self.retry_after_s(load_s),
            )
        ticket = Ticket(job, now, math.inf)
        self._backlog.queues[job.kind].push(ticket)
        return ticket, is_reserved

    def close(self, ticket: Ticket) -> None:
        """Remove a job that was answered or given up."""
        self._backlog.remove(ticket)

    def older_partial(self, job: Job) -> Ticket | None:
        """Return the older partial of the same utterance, which this job replaces."""
        if job.kind is not JobKind.PARTIAL:
            return None
        return self._backlog.waiting_partial(job)

    def retry_after_s(self, load_s: float) -> int:
        """Return the time until ``load_s`` of work is done, in whole seconds."""
        return self._speed.retry_after_s(load_s)

    def _reserve_for_others(self, audio_s: float) -> None:
        if self._others is not None:
            self._admission.release(self._others)
        self._others_s = audio_s
        others = ReservationRequest(OTHERS, audio_s)
        self._others = self._admission.keep(others) if audio_s else None
