"""How much of the event loop's time one connection may take. No I/O, no clock.

All connections share one loop. A live speaker needs a hundredth of it, but a client may send a file
as fast as the wire allows, or thousands of messages of a byte each: after a burst (a client that
comes back sends half a minute again) it has to pause, so that the others' speech isn't late.
"""

SHARE = 0.25
"""Part of the loop's time that one connection may take for long."""
BURST_S = 2.0
"""So much of it may be taken at once: 40 s of Opus that come again are a sixth of that."""
MIN_PAUSE_S = 0.005
"""Shorter pauses are saved up: each costs something, too."""


class TimeShare:
    """A leaky bucket of working time.

    Args:
        now: Monotonic seconds.
        burst_s: So much may be taken at once.
    """

    def __init__(self, now: float, burst_s: float = BURST_S) -> None:
        self._burst_s = burst_s
        self._used_s = 0.0
        self._at = now

    def pause_s(self, began_at: float, now: float) -> float:
        """Take note of work from ``began_at`` until now; return how long to pause after it."""
        left_s = max(0.0, self._used_s - (now - self._at) * SHARE)
        self._used_s, self._at = left_s + now - began_at, now
        pause_s = (self._used_s - self._burst_s) / SHARE
        return pause_s if pause_s >= MIN_PAUSE_S else 0.0
