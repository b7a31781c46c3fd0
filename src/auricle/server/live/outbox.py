"""What waits to be sent to one client. Bounded; no I/O, no clock.

A client that reads slowly gets the newest guess only, then no news of speech and marks, and never
loses a result: those that it has not acknowledged stay in the session's journal. When not even
results fit, ``is_overrun`` says so: the connection is closed with 1013, and the client may resume.
"""

import math
from collections import deque

from auricle.events import (
    AudioProgress,
    Final,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Warned,
    WarningCode,
)
from auricle.protocol.dialect import OutboundItem

MAX_NEWS = 64
"""So many events may wait before news that can be done without is left out."""
MAX_EVENTS = 128
"""So many may wait beside those that a client comes back to: fewer than the journal keeps."""

SLOW = Warned(WarningCode.SLOW, "You read too slowly: only the newest guess is sent.")


class Outbox:
    """The events of one connection, in order, and replies between them.

    Args:
        keeps_news: Only guesses are left out: for clients who can't do without the rest.
    """

    def __init__(self, *, keeps_news: bool = False) -> None:
        self._keeps_news = keeps_news
        self._waiting: deque[OutboundItem] = deque()
        self._is_slow = False
        self._limit = math.inf
        self.dropped_partials = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_overrun(self) -> bool:
        """Whether not even results fit any more."""
        return len(self._waiting) > self._limit

    def limit(self) -> None:
        """Bound what waits from now on; what waits already, finals told again, is not counted."""
        self._limit = len(self._waiting) + MAX_EVENTS

    def put(self, event: OutboundItem) -> None:
        """Add an event; an older one that it makes useless goes."""
        match event:
            case Partial():
                if self._drop_partial():
                    self._tell_slow()
            case Final():
                self._drop_partial(event.utterance)
            case AudioProgress():
                self._drop_marks()
            case SpeechStarted() | SpeechEnded() | Warned():
                if len(self._waiting) >= MAX_NEWS and not self._keeps_news:
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

    def _drop_partial(self, up_to: int | None = None) -> bool:
        """Drop the guess that waits, if any, unless its utterance comes after ``up_to``."""
        for event in self._waiting:
            if isinstance(event, Partial) and (up_to is None or event.utterance <= up_to):
                self._waiting.remove(event)
                self.dropped_partials += 1
                return True
        return False

    def _drop_marks(self) -> None:
        for event in self._waiting:
            if isinstance(event, AudioProgress):
                self._waiting.remove(event)
                return

    def _tell_slow(self) -> None:
        if not self._is_slow:
            self._is_slow = True
            self.put(SLOW)
