"""When a server that was told to stop may go. No I/O, no clock: ``now`` is monotonic seconds."""

import enum

LOST_NOTICE_S = 16.0
"""How long a server that lost jobs still answers, so that their callers see ``server_stopped`` and
Prometheus, which usually scrapes every 15 s, sees ``auricle_jobs_lost_total``."""


class DrainStep(enum.Enum):
    """What to do now."""

    WAIT = enum.auto()
    GIVE_UP = enum.auto()
    """Nothing is left to finish, or the time is over: end what is left, then call `gave_up`."""
    LEAVE = enum.auto()


class Drain:
    """One orderly end.

    Args:
        drain_s: Longest wait for accepted work.
        now: When the signal came.
    """

    def __init__(self, drain_s: float, now: float) -> None:
        self._notice_s = min(LOST_NOTICE_S, drain_s)
        self._gives_up_at = now + drain_s
        self._leaves_at: float | None = None

    def next_step(self, now: float, *, has_work: bool, is_hurried: bool) -> DrainStep:
        """Return what to do now.

        Args:
            now: Monotonic seconds.
            has_work: Whether a request, a job, or a result that its caller has not fetched is left.
            is_hurried: Whether a second signal came.
        """
        if self._leaves_at is None:
            is_over = not has_work or is_hurried or now >= self._gives_up_at
            return DrainStep.GIVE_UP if is_over else DrainStep.WAIT
        return DrainStep.LEAVE if is_hurried or now >= self._leaves_at else DrainStep.WAIT

    def gave_up(self, now: float, *, lost_jobs: int) -> None:
        """Note that what was left has been ended; lost jobs are shown for a while."""
        self._leaves_at = now + (self._notice_s if lost_jobs else 0.0)
