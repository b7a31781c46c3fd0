"""The order of refused clients: the one that has waited longest comes first. No I/O, no clock.

A refused client tries again by itself. Its position is kept for some time after the retry time that
it was sent. Clients that send no ID are identified by their key and network.
"""

from collections import deque
from collections.abc import Hashable

MAX_WAITING = 1000
"""Clients whose positions are kept; the oldest are dropped."""
GRACE_S = 5.0
"""Time after the retry time until a position is lost, in seconds."""
TURNOVER_S = 120.0
"""Departures of this time decide how soon a place is free."""
MAX_RETRY_S, DEFAULT_RETRY_S = 30.0, 5.0


class WaitingLine:
    """Clients that wait for a free place."""

    def __init__(self) -> None:
        self._since: dict[Hashable, float] = {}
        self._until: dict[Hashable, float] = {}
        self._departures: deque[float] = deque(maxlen=MAX_WAITING)

    def __len__(self) -> int:
        return len(self._since)

    def ahead_of(self, waiter: Hashable, now: float) -> int:
        """Return how many others have waited longer than this client."""
        self.forget_late(now)
        since = self._since.get(waiter, now)
        return sum(at < since for other, at in self._since.items() if other != waiter)

    def refused(self, waiter: Hashable, now: float) -> float:
        """Keep the position of a client; return the time after which it should try again."""
        self._since.setdefault(waiter, now)
        while len(self._since) > MAX_WAITING:
            self.admitted(next(iter(self._since)))
        retry_s = self._retry_s(self.ahead_of(waiter, now) + 1, now)
        self._until[waiter] = now + retry_s + GRACE_S
        return retry_s

    def admitted(self, waiter: Hashable) -> None:
        """Forget a client that waits no longer."""
        self._since.pop(waiter, None)
        self._until.pop(waiter, None)

    def departed(self, now: float) -> None:
        """Record that a speaker has left."""
        self._departures.append(now)

    def forget_late(self, now: float) -> None:
        """Drop the clients that did not try again in time."""
        for waiter in [waiter for waiter, until in self._until.items() if until < now]:
            self.admitted(waiter)

    def _retry_s(self, places: int, now: float) -> float:
        """Return when this number of places will be free, by the latest departures."""
        while self._departures and self._departures[0] < now - TURNOVER_S:
            self._departures.popleft()
        if not self._departures:
            return DEFAULT_RETRY_S
        lasted_s = max(1.0, now - self._departures[0])
        return min(MAX_RETRY_S, max(1.0, places * lasted_s / len(self._departures)))
