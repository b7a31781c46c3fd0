"""Whether a recogniser is to be asked, as a function of what became of it. No I/O, no clock.

It is *out* until a look at it succeeds, again after three looks in a row that failed, and at once
when it loses a job. Whoever is out is looked at less and less often, ``BACKOFF_FIRST_S`` to
``BACKOFF_MAX_S``. One that answers looks but loses jobs, as a proxy does whose recogniser is gone,
comes back later each time, until it has answered a job.
"""

import math
from dataclasses import dataclass

from auricle.cluster.wire.capacity import Capacity

LOOK_EVERY_S = 0.5
LOOK_LIMIT_S = 1.0
FAILED_LOOKS = 3
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 8.0


@dataclass(slots=True)
class Ejection:
    """One recogniser's standing.

    Attributes:
        capacity: What it told last; kept while it is out.
        told_at: When it did, in monotonic seconds.
        is_out: Whether nothing is to be sent there.
        next_look_at: Monotonic seconds; infinity while a look is under way.
    """

    capacity: Capacity | None = None
    told_at: float = -math.inf
    is_out: bool = True
    next_look_at: float = -math.inf
    _failed_looks: int = 0
    _lost_jobs: int = 0
    _has_refused: bool = False
    _is_look_stale: bool = False

    @property
    def is_usable(self) -> bool:
        """Whether a job may be sent there."""
        is_ready = self.capacity is not None and self.capacity.ready > 0
        return not self.is_out and is_ready and not self._has_refused

    def look_started(self) -> None:
        """It is being looked at: tell how that ends."""
        self.next_look_at = math.inf
        self._is_look_stale = False

    def look_succeeded(self, capacity: Capacity, now: float) -> None:
        """It lives, and told this; unless it lost a job since it was asked."""
        self._failed_looks = 0
        if self._is_look_stale:
            return
        self.capacity, self.told_at = capacity, now
        self.is_out = self._has_refused = False
        self.next_look_at = now + LOOK_EVERY_S

    def look_failed(self, now: float) -> None:
        """It gave no answer, or none that makes sense."""
        self._failed_looks += 1
        self.is_out |= self._failed_looks >= FAILED_LOOKS
        beyond = max(1, self._failed_looks - FAILED_LOOKS + 1)
        wait_s = _backoff_s(beyond) if self.is_out else LOOK_EVERY_S
        self.next_look_at = now + wait_s

    def job_lost(self, now: float) -> None:
        """A job that was sent there never came back; many at once are one reason."""
        if self.is_out:
            return
        self._is_look_stale = True
        self.is_out = True
        self._lost_jobs += 1
        self.next_look_at = now + _backoff_s(self._lost_jobs)

    def job_answered(self) -> None:
        """It has done what it is there for."""
        self._lost_jobs = 0

    def job_refused(self) -> None:
        """It takes no work now, whatever it told before: not asked until the next look."""
        self._has_refused = True
        self._lost_jobs = 0


def _backoff_s(times: int) -> float:
    return float(min(BACKOFF_FIRST_S * 2 ** (times - 1), BACKOFF_MAX_S))
