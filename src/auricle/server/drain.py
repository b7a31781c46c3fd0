"""Decides when a draining server may exit. No I/O, no clock: ``now`` is monotonic seconds."""

import enum

LOST_NOTICE_S = 16.0
"""Seconds that a server still answers after it lost jobs, so that clients see ``server_stopped``
and Prometheus, which usually scrapes every 15 s, sees ``auricle_jobs_lost_total``."""


class DrainStep(enum.Enum):
    """The next step of a drain."""

    WAIT = enum.auto()
    GIVE_UP = enum.auto()
    """No work is left, or the time is over: cancel what is left, then call `gave_up`."""
    LEAVE = enum.auto()


class Drain:
    """The progress of one drain.

    Args:
        drain_s: Maximum wait for accepted work, in seconds.
        now: Time of the signal, in monotonic seconds.
    """

    def __init__(self, drain_s: float, now: float) -> None:
        self._notice_s = min(LOST_NOTICE_S, drain_s)
        self._gives_up_at = now + drain_s
        self._leaves_at: float | None = None

    def next_step(self, now: float, *, has_work: bool, is_hurried: bool) -> DrainStep:
        """Return the next step.

        Args:
            now: Monotonic seconds.
            has_work: Whether a request, a job, or a result that its client has not fetched is left.
            is_hurried: Whether a second signal arrived.
        """
        if self._leaves_at is None:
            is_over = not has_work or is_hurried or now >= self._gives_up_at
            return DrainStep.GIVE_UP if is_over else DrainStep.WAIT
        return DrainStep.LEAVE if is_hurried or now >= self._leaves_at else DrainStep.WAIT

    def gave_up(self, now: float, *, lost_jobs: int) -> None:
        """Note that remaining work was cancelled; after lost jobs, the server waits for a while."""
        self._leaves_at = now + (self._notice_s if lost_jobs else 0.0)
