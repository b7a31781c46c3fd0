"""What a gateway has let in, and for what it keeps room. No I/O, no clock.

The rules are those of the pool (:mod:`auricle.workers.asr.admission`); what differs is what is
known. A gateway knows its own jobs exactly, though not which of them run already, and of all others
what was told last. So what other gateways have waiting counts as one reservation of theirs, and
this gateway's part of the recognisers' room is all that it lets in.
"""

import math
from dataclasses import dataclass

from auricle.config import QueueSettings
from auricle.errors import Overloaded
from auricle.transcriber import JOB_OVERHEAD_S
from auricle.types import ClientId, Job, JobKind
from auricle.workers.asr.admission import Admission
from auricle.workers.asr.backlog import Backlog, Ticket
from auricle.workers.asr.speed import Speed, Workers

OTHERS = ClientId("\0others")
"""Whose the work of other gateways is; no key has such a name."""


@dataclass(slots=True)
class FleetCapacity:
    """What the recognisers told last, all together.

    Attributes:
        workers: Those that can work now.
        max_audio_s: Most seconds of audio that may wait there.
        waiting_audio_s: What does.
        running_audio_s: What is worked on.
        seconds_per_audio_s: What a second of load costs a worker; 0 if that isn't known.
    """

    workers: int = 0
    max_audio_s: float = 0.0
    waiting_audio_s: float = 0.0
    running_audio_s: float = 0.0
    seconds_per_audio_s: float = 0.0


@dataclass(slots=True)
class _Bounds:
    """This gateway's part of the room, in place of the settings of a pool."""

    queue_audio_s: float
    queue_jobs: int
    key_share: float


class GatewayAdmission:
    """Decides who is let in.

    Args:
        settings: Most jobs in flight (``queue_jobs``), and most of the room for a key.
        gateways: How many share the recognisers.
    """

    def __init__(self, settings: QueueSettings, gateways: int) -> None:
        self._gateways = gateways
        self._bounds = _Bounds(0.0, settings.queue_jobs, settings.key_share)
        self._workers = Workers(0)
        self._speed = Speed(1.0, 1.0, self._workers)
        self._backlog = Backlog()
        self._admission = Admission(self._bounds, self._backlog, self._speed)
        self._standing: set[str] = set()
        self._others: str | None = None
        self._others_s = 0.0

    @property
    def reserved_audio_s(self) -> float:
        """Seconds of audio that this gateway keeps room for."""
        return self._admission.reserved_audio_s - self._others_s

    @property
    def in_flight(self) -> list[Ticket]:
        """What is asked for and not answered yet."""
        return list(self._backlog.waiting())

    def observe(self, known: FleetCapacity) -> None:
        """Take in what the recognisers told."""
        self._workers.ready = self._workers.size = known.workers
        if known.seconds_per_audio_s > 0:
            self._speed.seconds_per_load = known.seconds_per_audio_s
        own_s = self._backlog.waiting_audio_s
        self._keep_for_others(max(0.0, known.waiting_audio_s - own_s))
        part_s = min(known.max_audio_s / self._gateways + self._others_s, known.max_audio_s)
        # What runs takes no room there, but can't be told from what waits among our own.
        self._bounds.queue_audio_s = part_s + min(own_s, known.running_audio_s)

    def reserve(
        self,
        client: ClientId,
        audio_s: float,
        *,
        max_wait_s: float | None,
        standing: bool,
        resumed: bool,
    ) -> tuple[str, list[Ticket]]:
        """Keep room; return its name, and the tickets that have to make way.

        Raises:
            Overloaded: There is no room, or the wait is longer than ``max_wait_s``.
        """
        admission = self._admission
        spare_s = admission.spare_s(standing=standing, resumed=resumed)
        admission.refuse_late(client, JobKind.FINAL, audio_s + JOB_OVERHEAD_S, max_wait_s)
        shed = admission.to_shed(client, audio_s, spare_s)
        name = admission.keep(client, audio_s, standing)
        if standing:
            self._standing.add(name)
        return name, shed

    def release(self, name: str) -> None:
        """Give room back; unknown names are ignored."""
        if name != self._others:
            self._admission.release(name)
            self._standing.discard(name)

    def has_standing_room(self, job: Job) -> bool:
        """Whether it is one of a live session's, which has been promised an answer."""
        return job.reservation in self._standing

    def open(self, job: Job, now: float) -> tuple[Ticket, bool]:
        """Write a job down; return its ticket, and whether room was kept for it.

        The recognisers decide on the rest: they know how much waits there.

        Raises:
            Overloaded: As many jobs as may be are in flight.
        """
        # The room of a session is worth all its finals: they are few, and theirs is the promise.
        is_reserved = self._admission.claim(job.reservation, job.audio_s)
        is_reserved |= self.has_standing_room(job)
        if not is_reserved and self._backlog.waiting_jobs >= self._bounds.queue_jobs:
            load_s = sum(ticket.load_s for ticket in self._backlog.waiting())
            raise Overloaded("as many jobs as may be are asked for", self.retry_after_s(load_s))
        ticket = Ticket(job, now, math.inf)
        self._backlog.queues[job.kind].push(ticket)
        return ticket, is_reserved

    def close(self, ticket: Ticket) -> None:
        """It was answered, or given up."""
        self._backlog.remove(ticket)

    def older_partial(self, job: Job) -> Ticket | None:
        """Return what this job makes superfluous: an older guess at the same utterance."""
        if job.kind is not JobKind.PARTIAL:
            return None
        return self._backlog.waiting_partial(job)

    def retry_after_s(self, load_s: float) -> int:
        """Return when so much work will be done, in whole seconds."""
        return self._speed.retry_after_s(load_s)

    def _keep_for_others(self, audio_s: float) -> None:
        if self._others is not None:
            self._admission.release(self._others)
        self._others_s = audio_s
        self._others = self._admission.keep(OTHERS, audio_s, standing=False) if audio_s else None
