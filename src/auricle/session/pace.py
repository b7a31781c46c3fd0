"""Detect audio that arrives faster than real time. The caller passes the time."""

from auricle.values.types import SAMPLE_RATE_HZ

AHEAD_S = 5.0
"""A stream that is further ahead of real time is a file, or the backlog after an outage."""
CREDIT_S = 60.0
"""Maximum late audio that may catch up at live priority. Clients buffer more than that; the rest of
a long backlog is transcribed at file priority, after live speech."""
MAX_LEAD_S = 10.0
"""Maximum lead that is counted, so that a stream becomes live again even after a long backlog."""
EASE = 0.5
"""The lead shrinks by this fraction of elapsed time, even while audio arrives in real time."""


class Pace:
    """How far a stream is ahead of real time.

    A client that reconnects after a long outage sends its backlog as fast as the server accepts it
    and so gets ahead. After that, audio arrives in real time, and the stream is live again after
    ``(MAX_LEAD_S - AHEAD_S) / EASE`` seconds. While the server does not read, the speed of the
    client is unknown; see :meth:`rest`.

    Args:
        now: Monotonic time of the start, in seconds.
        credit_s: Audio that may arrive at once without being ahead, in seconds: what a client
            resends after it reconnects.
    """

    def __init__(self, now: float, credit_s: float = 0.0) -> None:
        self._lead_s = -credit_s
        self._at = now

    def receive(self, samples: int, now: float) -> None:
        """Record the arrival of audio."""
        lead_s = self._lead_now_s(now) + samples / SAMPLE_RATE_HZ
        self._lead_s = min(MAX_LEAD_S, lead_s)
        self._at = max(self._at, now)

    def rest(self, now: float) -> None:
        """Record that the server has not read since the last call: a stream ahead stays ahead."""
        if self.is_ahead(self._at):
            self._at = max(self._at, now)

    def is_ahead(self, now: float) -> bool:
        """Return whether the stream is ahead of real time now."""
        return self._lead_now_s(now) > AHEAD_S

    def _lead_now_s(self, now: float) -> float:
        passed_s = max(0.0, now - self._at)
        eased_s = max(0.0, self._lead_s - EASE * passed_s) if self._lead_s > 0 else self._lead_s
        return max(-CREDIT_S, eased_s - passed_s)
