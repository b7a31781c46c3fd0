"""How much each live session speaks. No I/O, no clock.

A session counts as a speaker by the share of the last seconds in which it spoke. A silent one does
not count, nor does one whose client is gone, once its audio is finished.
"""

from dataclasses import dataclass

from auricle.values.types import ClientId

RISE_S, DECAY_S = 1.0, 4.0
"""Time constants of speech and of silence: the pauses between sentences are bridged."""
SPEAKER_WEIGHT = 0.5
"""A client with at least this weight is speaking."""
SETTLED_WEIGHT = 0.05
"""Less than this is rounded: who has been silent for 12 s takes no part of a place."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """How a session counts before it is known whether it speaks, and for how long.

    So the number of connections that arrive together is bounded.
    """

    weight: float
    time_s: float


SILENT = NewSession(0.2, 1.0)
"""While the machine is half free: most of many sessions that start together are silent."""
SPEAKING = NewSession(1.0, 3.0)
"""While it is not: each may be the one that is too many."""


@dataclass(slots=True)
class Activity:
    """One session.

    Attributes:
        client: Whose session it is.
        joined_at: When it was admitted, in monotonic seconds.
        newcomer: How it counts until it is known whether it speaks.
        has_spoken: Whether it has spoken.
        weight: Speakers that it counts as.
    """

    client: ClientId
    joined_at: float
    newcomer: NewSession
    has_spoken: bool = False
    weight: float = 0.0
    _at: float = 0.0

    def __post_init__(self) -> None:
        self._at, self.weight = self.joined_at, self.newcomer.weight

    def observe(self, speaking: int, now: float, *, is_abandoned: bool = False) -> None:
        """Add a sample.

        Args:
            speaking: Channels with an open utterance or with audio that is not transcribed yet.
            now: Monotonic seconds.
            is_abandoned: Whether its client is gone, so that nothing is added.
        """
        passed_s, self._at = max(0.0, now - self._at), now
        self.has_spoken |= speaking > 0
        if is_abandoned:
            self.weight = float(speaking)
            return
        constant_s = RISE_S if speaking > self.weight else DECAY_S
        self.weight += (speaking - self.weight) * min(1.0, passed_s / constant_s)
        if abs(speaking - self.weight) < SETTLED_WEIGHT:
            self.weight = float(speaking)
        if not self.has_spoken:
            is_new = now < self.joined_at + self.newcomer.time_s
            self.weight = self.newcomer.weight if is_new else 0.0
