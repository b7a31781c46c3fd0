"""Decides when a draining server may exit. No I/O, no clock: ``now`` is monotonic seconds."""

import enum


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
        self._gives_up_at = now + drain_s
        self._has_given_up = False

    def next_step(self, now: float, *, has_work: bool, is_forced: bool) -> DrainStep:
        """Return the next step.

        Args:
            now: Monotonic seconds.
            has_work: Whether a request, a running job, a webhook, or a final of a client that is
                gone is left.
            is_forced: Whether a second signal arrived.
        """
        if self._has_given_up:
            return DrainStep.LEAVE
        is_over = not has_work or is_forced or now >= self._gives_up_at
        return DrainStep.GIVE_UP if is_over else DrainStep.WAIT

    def gave_up(self) -> None:
        """Note that remaining requests were cancelled; remaining jobs are queued again."""
        self._has_given_up = True
