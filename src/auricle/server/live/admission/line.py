"""The order of refused clients: the one that has waited longest comes first. No I/O, no clock.

A refused client tries again by itself. Its position is kept for some time after the retry time that
it was sent. Clients that send no ID are identified by their key and network.
"""

from collections import Counter, deque
from collections.abc import Hashable
from typing import NamedTuple

MAX_WAITING = 1000
"""Clients whose positions are kept; then those of the origin with the most are dropped."""
MAX_AHEAD = 8
"""Clients of one origin that another origin's clients wait for: IDs cost nothing."""
GRACE_S = 5.0
"""Time after the retry time until a position is lost, in seconds."""
TURNOVER_S = 120.0
"""Departures of this time decide how soon a place is free."""
MAX_RETRY_S, DEFAULT_RETRY_S = 30.0, 5.0


class Waiter(NamedTuple):
    """A client that may wait.

    Attributes:
        origin: Its key and network.
        name: The ID that it chose; empty: it is known by its origin only.
    """

    origin: Hashable
    name: str = ""


class WaitingLine:
    """Clients that wait for a free place."""

    def __init__(self) -> None:
        self._since: dict[Waiter, float] = {}
        self._until: dict[Waiter, float] = {}
        self._departures: deque[float] = deque(maxlen=MAX_WAITING)

    def __len__(self) -> int:
        return len(self._since)

    def ahead_of(self, waiter: Waiter, now: float) -> int:
        """Return how many others have waited longer than this client."""
        self.forget_late(now)
        since = self._since.get(waiter, now)
        ahead = Counter(
            other.origin for other, at in self._since.items() if at < since and other != waiter
        )
        return ahead.pop(waiter.origin, 0) + sum(min(n, MAX_AHEAD) for n in ahead.values())

    def refused(self, waiter: Waiter, now: float) -> float:
        """Keep the position of a client; return the time after which it should try again."""
        self.forget_late(now)
        self._since.setdefault(waiter, now)
        if len(self._since) > MAX_WAITING:
            [(most, _)] = Counter(each.origin for each in self._since).most_common(1)
            self.admitted(next(each for each in self._since if each.origin == most))
        retry_s = self._retry_s(self.ahead_of(waiter, now) + 1, now)
        self._until[waiter] = now + retry_s + GRACE_S
        return retry_s

    def admitted(self, waiter: Waiter) -> None:
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
