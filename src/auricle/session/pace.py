"""Whether audio comes faster than it was spoken; no clock of its own."""

from auricle.types import SAMPLE_RATE_HZ

AHEAD_S = 5.0
"""So much ahead of real time, a stream is a file that is piped in, or a backlog that is sent."""
CREDIT_S = 60.0
"""Audio that was late may catch up at a live stream's priority: so much of it at most. Clients keep
more than that; the rest of a long backlog is recognised at a file's priority, after live speech."""
MAX_LEAD_S = 10.0
"""A longer lead is forgotten: however long the backlog was, what follows it is live speech."""
EASE = 0.5
"""A lead shrinks by this share of the time that passes, also while audio comes in real time."""


class Pace:
    """How far a stream is ahead of real time.

    A client that returns after a long outage sends its backlog as fast as the server accepts it,
    and is ahead by that. Once it has caught up, audio comes in real time, and after
    ``(MAX_LEAD_S - AHEAD_S) / EASE`` seconds of that the stream is live again. While the server
    itself has stopped reading, nothing shows how fast the client is: :meth:`rest`.

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
        lead_s = self._lead_now_s(now) + samples / SAMPLE_RATE_HZ
        self._lead_s = min(MAX_LEAD_S, lead_s)
        self._at = max(self._at, now)

    def rest(self, now: float) -> None:
        """Take note that the server has not read since the last call: who was ahead, still is."""
        if self.is_ahead(self._at):
            self._at = max(self._at, now)

    def is_ahead(self, now: float) -> bool:
        """Whether it is a file's pace now."""
        return self._lead_now_s(now) > AHEAD_S

    def _lead_now_s(self, now: float) -> float:
        passed_s = max(0.0, now - self._at)
        eased_s = max(0.0, self._lead_s - EASE * passed_s) if self._lead_s > 0 else self._lead_s
        return max(-CREDIT_S, eased_s - passed_s)
