"""A queue that clients share evenly, measured in seconds of audio.

Goyal, Vin & Cheng, "Start-time fair queueing" (SIGCOMM 1996): the client that was served least is
next. While two clients wait, neither gets ahead of the other by more than its longest item. If only
some items fit, their clients may get ahead; the others are next until the difference is made up.
The queue has no bounds: the scheduler checks them before it pushes.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from auricle.values.types import ClientId


class Queued(Protocol):
    """An item of the queue."""

    @property
    def client(self) -> ClientId:
        """Client whose share the item uses."""
        ...

    @property
    def audio_s(self) -> float:
        """Cost of the item, in seconds of audio."""
        ...


T = TypeVar("T", bound=Queued)


class FairQueue(Generic[T]):
    """First in, first out for each client; clients take turns."""

    def __init__(self) -> None:
        self._lines: dict[ClientId, deque[T]] = {}
        self._served_s: dict[ClientId, float] = {}
        self._level_s = 0.0  # service of the last served client, before that item

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[T]:
        for line in self._lines.values():
            yield from line

    def push(self, item: T) -> None:
        """Append an item to its client's line."""
        self._line(item.client).append(item)

    def push_front(self, item: T) -> None:
        """Return an item to the head of its client's line, and refund its cost."""
        self._line(item.client).appendleft(item)
        had_s = self._served_s[item.client] - item.audio_s
        self._served_s[item.client] = max(
            self._level_s, had_s
        )  # its cost may have been dropped by _forget

    def replace(self, old: T, new: T) -> None:
        """Replace ``old``, which must be waiting, by ``new``."""
        line = self._lines[old.client]
        line[line.index(old)] = new

    def remove(self, item: T) -> bool:
        """Remove an item; return whether it was waiting."""
        line = self._lines.get(item.client)
        if line is None or item not in line:
            return False
        line.remove(item)
        if not line:
            del self._lines[item.client]
            self._forget()
        return True

    def take(self, fits: Callable[[T], bool], rank: Callable[[T], float] | None = None) -> T | None:
        """Remove and return the next item among those that fit, or ``None``.

        Args:
            fits: Whether an item may be taken.
            rank: Takes a client's item of lowest rank; ``None`` takes its first item.
        """
        candidates: dict[ClientId, T] = {}
        for client, line in self._lines.items():
            fitting = filter(fits, line)
            item = min(fitting, key=rank, default=None) if rank else next(fitting, None)
            if item is not None:
                candidates[client] = item
        if not candidates:
            return None
        client = min(candidates, key=self._served_s.__getitem__)
        item = candidates[client]
        self._level_s = max(self._level_s, self._served_s[client])
        self._served_s[client] += item.audio_s
        self.remove(item)
        return item

    def _line(self, client: ClientId) -> deque[T]:
        """Return a client's line; a new client gets no credit for service that others received."""
        if client not in self._lines:
            self._lines[client] = deque()
            had_s = self._served_s.get(client, self._level_s)
            self._served_s[client] = max(self._level_s, had_s)
        return self._lines[client]

    def _forget(self) -> None:
        """Drop the state of idle clients that are equal to new ones; all if the queue is empty."""
        level_s = self._level_s
        self._served_s = {
            client: served_s
            for client, served_s in self._served_s.items()
            if client in self._lines or (self._lines and served_s > level_s)
        }
