"""The bounded queue of events to one client. No I/O, no clock.

For a client that reads slowly, the queue keeps only the newest partial of each channel, then drops
speech events and warnings. It never drops a final, and unacknowledged finals stay in the session's
journal. If the queue overflows, ``is_overrun`` is set: the connection is closed with 1013, and the
client may resume.
"""

import math
from collections import deque

from auricle.protocol.dialect import OutboundItem
from auricle.values.events import (
    AudioProgress,
    Final,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Warned,
    WarningCode,
)

MAX_WAITING = 64
"""Queue length from which speech events and warnings are dropped."""
MAX_EVENTS = 128
"""Maximum queue length, not counting the replay after a resume; less than the journal holds."""

SLOW = Warned(
    WarningCode.SLOW, "The client is not reading fast enough; older partials are dropped."
)


class Outbox:
    """The events and replies of one connection, in order.

    Args:
        keeps_all: Drop partials only, for clients that depend on all other events.
    """

    def __init__(self, *, keeps_all: bool = False) -> None:
        self._keeps_all = keeps_all
        self._waiting: deque[OutboundItem] = deque()
        self._is_slow = False
        self._limit = math.inf
        self.dropped_partials = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_overrun(self) -> bool:
        """Whether the queue has overflowed."""
        return len(self._waiting) > self._limit

    def limit(self) -> None:
        """Limit the queue from now on; replayed finals already in it are not counted."""
        self._limit = len(self._waiting) + MAX_EVENTS

    def put(self, event: OutboundItem) -> None:
        """Add an event, and drop an older one that it replaces."""
        match event:
            case Partial():
                if self._drop_partial(event.channel):
                    self._warn_slow()
            case Final():
                self._drop_partial(event.channel, event.utterance)
            case AudioProgress():
                self._drop_progress()
            case SpeechStarted() | SpeechEnded() | Warned():
                if len(self._waiting) >= MAX_WAITING and not self._keeps_all:
                    return
            case _:
                pass
        if not self.is_overrun:
            self._waiting.append(event)

    def next_event(self) -> OutboundItem | None:
        """Return the next event to send, or ``None``."""
        if not self._waiting:
            self._is_slow = False  # it has caught up
            return None
        return self._waiting.popleft()

    def _drop_partial(self, channel: int | None, up_to: float = math.inf) -> bool:
        """Drop the channel's queued partial, unless its utterance is later than ``up_to``."""
        for event in self._waiting:
            if not isinstance(event, Partial) or event.channel != channel:
                continue
            if event.utterance <= up_to:
                self._waiting.remove(event)
                self.dropped_partials += 1
                return True
        return False

    def _drop_progress(self) -> None:
        for event in self._waiting:
            if isinstance(event, AudioProgress):
                self._waiting.remove(event)
                return

    def _warn_slow(self) -> None:
        if not self._is_slow:
            self._is_slow = True
            self.put(SLOW)
