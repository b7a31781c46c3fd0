"""Whether audio comes faster than it was spoken; no clock of its own."""

from auricle.types import SAMPLE_RATE_HZ

AHEAD_S = 5.0
"""So much ahead of real time, a stream is a file that is piped in."""
CREDIT_S = 60.0
"""Audio that was late may catch up: so much of it at most, as a client keeps some 40 s."""


class Pace:
    """How far a stream is ahead of real time.

    Args:
        now: When it starts.
        credit_s: How much audio may come at once without being ahead: what a client that comes
            back sends again.
    """

    def __init__(self, now: float, credit_s: float = 0.0) -> None:
        self._lead_s = -credit_s
        self._at = now

    def receive(self, samples: int, now: float) -> None:
        """Take note of audio."""
        self._lead_s = self._lead_now_s(now) + samples / SAMPLE_RATE_HZ
        self._at = max(self._at, now)

    def is_ahead(self, now: float) -> bool:
        """Whether it is a file's pace now."""
        return self._lead_now_s(now) > AHEAD_S

    def _lead_now_s(self, now: float) -> float:
        return max(-CREDIT_S, self._lead_s - max(0.0, now - self._at))
