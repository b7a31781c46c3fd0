"""Ejection: decide whether jobs are sent to a recogniser. No I/O, no clock.

A recogniser is ejected (*out*) until its first successful health check, after three
failed checks in a row, and immediately when it loses a job. While it is out, checks back off
exponentially, ``BACKOFF_FIRST_S`` to ``BACKOFF_MAX_S``. A recogniser that passes checks but loses
jobs, such as a proxy without a recogniser, stays out longer each time until it answers a job.
"""

import math
from dataclasses import dataclass

from auricle.cluster.wire.capacity import Capacity

CHECK_INTERVAL_S = 0.5
CHECK_TIMEOUT_S = 1.0
MAX_FAILED_CHECKS = 3
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 8.0


@dataclass(slots=True)
class Ejection:
    """Ejection state of one recogniser.

    Attributes:
        capacity: Its latest report; kept while it is ejected.
        reported_at: Time of that report, in monotonic seconds.
        is_out: Whether it is ejected.
        next_check_at: Time of the next check, in monotonic seconds; infinity during a check.
    """

    capacity: Capacity | None = None
    reported_at: float = -math.inf
    is_out: bool = True
    next_check_at: float = -math.inf
    _failed_checks: int = 0
    _lost_jobs: int = 0
    _has_refused: bool = False
    _is_check_stale: bool = False

    @property
    def is_usable(self) -> bool:
        """Whether jobs may be sent to it."""
        is_ready = self.capacity is not None and self.capacity.ready > 0
        return not self.is_out and is_ready and not self._has_refused

    def check_started(self) -> None:
        """Record the start of a check; the caller must report its outcome."""
        self.next_check_at = math.inf
        self._is_check_stale = False

    def check_succeeded(self, capacity: Capacity, now: float) -> None:
        """Record a successful check; the report is ignored if a job was lost since it started."""
        self._failed_checks = 0
        if self._is_check_stale:
            return
        self.capacity, self.reported_at = capacity, now
        self.is_out = self._has_refused = False
        self.next_check_at = now + CHECK_INTERVAL_S

    def check_failed(self, now: float) -> None:
        """Record a failed check: no response, or an invalid one."""
        self._failed_checks += 1
        self.is_out |= self._failed_checks >= MAX_FAILED_CHECKS
        beyond = max(1, self._failed_checks - MAX_FAILED_CHECKS + 1)
        wait_s = _backoff_s(beyond) if self.is_out else CHECK_INTERVAL_S
        self.next_check_at = now + wait_s

    def job_lost(self, now: float) -> None:
        """Record a lost job; several lost at once count as one."""
        if self.is_out:
            return
        self._is_check_stale = True
        self.is_out = True
        self._lost_jobs += 1
        self.next_check_at = now + _backoff_s(self._lost_jobs)

    def job_answered(self) -> None:
        """Record an answered job, which resets the backoff for lost jobs."""
        self._lost_jobs = 0

    def job_refused(self) -> None:
        """Record that it accepts no work; it gets no jobs until the next check."""
        self._has_refused = True
        self._lost_jobs = 0


def _backoff_s(times: int) -> float:
    return float(min(BACKOFF_FIRST_S * 2 ** (times - 1), BACKOFF_MAX_S))
