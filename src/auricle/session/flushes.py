"""Flushes that wait for the finals of the utterances before them."""

from collections import deque
from collections.abc import Sequence

from auricle.session.channel import Channel
from auricle.values.events import Finalized

MAX_FLUSHES = 100
"""Flushes that may wait for their finals; at this number, no messages are read."""


class PendingFlushes:
    """The flushes of a session that are not confirmed yet.

    Args:
        channels: The channels.
    """

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._channels = channels
        self._flushes: deque[tuple[Finalized, int]] = deque()

    @property
    def is_full(self) -> bool:
        """Whether no more flushes may wait."""
        return len(self._flushes) >= MAX_FLUSHES

    def add(self, finalized: Finalized, utterance: int) -> None:
        """Add the confirmation of a flush; ``utterance`` is the last one before it."""
        self._flushes.append((finalized, utterance))

    def take_finalized(self) -> list[Finalized]:
        """Remove and return the confirmations whose finals were all sent."""
        if not self._flushes:
            return []
        pending = [flush for flush in self._flushes if self._is_pending(*flush)]
        finalized = [flush[0] for flush in self._flushes if flush not in pending]
        self._flushes = deque(pending)
        return finalized

    def _is_pending(self, finalized: Finalized, utterance: int) -> bool:
        return self._channels[finalized.channel or 0].recognition.has_pending(utterance)
