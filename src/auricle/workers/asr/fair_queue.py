"""A queue that its clients share evenly, counted in seconds of audio.

Goyal, Vin & Cheng, "Start-time fair queueing" (SIGCOMM 1996): whoever has been served least is
next. While two clients wait, neither gets ahead of the other by more than its longest item. Where
only some items fit, whoever has one may get ahead; the others are next until that is made up for.
Bounds are the scheduler's: it asks before it pushes.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from auricle.types import ClientId


class Queued(Protocol):
    """What the queue needs to know of what waits in it."""

    @property
    def client(self) -> ClientId:
        """Whose share it uses."""
        ...

    @property
    def audio_s(self) -> float:
        """What it costs."""
        ...


T = TypeVar("T", bound=Queued)


class FairQueue(Generic[T]):
    """First come, first served for each client; the clients take turns."""

    def __init__(self) -> None:
        self._lines: dict[ClientId, deque[T]] = {}
        self._served_s: dict[ClientId, float] = {}
        self._level_s = 0.0  # what the client that was served last had had before

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __iter__(self) -> Iterator[T]:
        for line in self._lines.values():
            yield from line

    def push(self, item: T) -> None:
        """Add at the end of its client's line."""
        self._line(item.client).append(item)

    def push_front(self, item: T) -> None:
        """Put back at the head of its client's line, and give back what it had cost."""
        self._line(item.client).appendleft(item)
        had_s = self._served_s[item.client] - item.audio_s
        self._served_s[item.client] = max(self._level_s, had_s)  # what it cost may be forgotten

    def replace(self, old: T, new: T) -> None:
        """Put ``new`` in the place of ``old``, which must be waiting."""
        line = self._lines[old.client]
        line[line.index(old)] = new

    def remove(self, item: T) -> bool:
        """Take out; return whether it was waiting."""
        line = self._lines.get(item.client)
        if line is None or item not in line:
            return False
        line.remove(item)
        if not line:
            del self._lines[item.client]
            self._forget()
        return True

    def take(self, fits: Callable[[T], bool], rank: Callable[[T], float] | None = None) -> T | None:
        """Take the next item whose turn it is among those that fit, or ``None``.

        Args:
            fits: What may be taken.
            rank: Which of a client's items is taken, the lowest; without it the first.
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
        """Return a client's line; who joins can't claim what others got before."""
        if client not in self._lines:
            self._lines[client] = deque()
            had_s = self._served_s.get(client, self._level_s)
            self._served_s[client] = max(self._level_s, had_s)
        return self._lines[client]

    def _forget(self) -> None:
        """Forget the clients that could come back as if they were new; all, if nobody waits."""
        level_s = self._level_s
        self._served_s = {
            client: served_s
            for client, served_s in self._served_s.items()
            if client in self._lines or (self._lines and served_s > level_s)
        }
