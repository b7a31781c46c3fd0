"""The event loop time one connection may use. No I/O, no clock.

All connections share one event loop. A live speaker needs a hundredth of it, but a client may send
a file at line rate, or thousands of one-byte messages. After a burst (a client that resumes sends
half a minute again) the connection must pause, so that other clients' speech isn't delayed.
"""

SHARE = 0.25
"""Maximum sustained share of the loop's time for one connection."""
BURST_S = 2.0
"""Burst allowance in seconds of loop time; replaying 40 s of Opus takes a sixth of it."""
MIN_PAUSE_S = 0.005
"""Shorter pauses are accumulated, as each pause has a cost."""


class TimeShare:
    """A leaky bucket of event loop time.

    Args:
        now: Monotonic seconds.
        burst_s: Burst allowance in seconds.
    """

    def __init__(self, now: float, burst_s: float = BURST_S) -> None:
        self._burst_s = burst_s
        self._used_s = 0.0
        self._at = now

    def pause_s(self, began_at: float, now: float) -> float:
        """Charge work from ``began_at`` to ``now``; return the pause due after it, in seconds."""
        left_s = max(0.0, self._used_s - (now - self._at) * SHARE)
        self._used_s, self._at = left_s + now - began_at, now
        pause_s = (self._used_s - self._burst_s) / SHARE
        return pause_s if pause_s >= MIN_PAUSE_S else 0.0
