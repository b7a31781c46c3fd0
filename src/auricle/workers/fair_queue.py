"""A queue that its clients share by deficit round robin, counted in seconds of audio.

Shreedhar & Varghese, "Efficient fair queueing using deficit round robin" (SIGCOMM 1995). Bounds
are the scheduler's: it asks before it pushes.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from auricle.types import ClientId

QUANTUM_S = 5.0
"""Audio seconds that a client gains each round; a longer job waits for several rounds."""


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


@dataclass(slots=True)
class _Line(Generic[T]):
    waiting: deque[T] = field(default_factory=deque)
    deficit_s: float = 0.0


class FairQueue(Generic[T]):
    """First come, first served for each client; the clients take turns."""

    def __init__(self) -> None:
        self._lines: dict[ClientId, _Line[T]] = {}
        self._ring: deque[ClientId] = deque()
        self._is_served = False  # whether the ring's first has had this round's quantum

    def __len__(self) -> int:
        return sum(len(line.waiting) for line in self._lines.values())

    def __iter__(self) -> Iterator[T]:
        for line in self._lines.values():
            yield from line.waiting

    def push(self, item: T) -> None:
        """Add at the end of its client's line."""
        self._line(item.client).waiting.append(item)

    def push_front(self, item: T) -> None:
        """Put back at the head of its client's line, and give back what it had paid."""
        line = self._line(item.client)
        line.waiting.appendleft(item)
        line.deficit_s += item.audio_s

    def replace(self, old: T, new: T) -> None:
        """Put ``new`` in the place of ``old``, which must be waiting."""
        waiting = self._lines[old.client].waiting
        waiting[waiting.index(old)] = new

    def remove(self, item: T) -> bool:
        """Take out; return whether it was waiting."""
        line = self._lines.get(item.client)
        if line is None or item not in line.waiting:
            return False
        line.waiting.remove(item)
        self._drop_if_empty(item.client)
        return True

    def take(self, fits: Callable[[T], bool]) -> T | None:
        """Take the next item whose turn it is among those that fit, or ``None``."""
        candidates = {
            client: item
            for client, line in self._lines.items()
            if (item := next(filter(fits, line.waiting), None)) is not None
        }
        if not candidates:
            return None
        while True:
            client = self._ring[0]
            if (item := candidates.get(client)) is not None:
                line = self._lines[client]
                if not self._is_served:
                    line.deficit_s += QUANTUM_S
                    self._is_served = True
                if line.deficit_s >= item.audio_s:
                    line.deficit_s -= item.audio_s
                    line.waiting.remove(item)
                    self._drop_if_empty(client)
                    return item
            self._ring.rotate(-1)
            self._is_served = False

    def _line(self, client: ClientId) -> _Line[T]:
        if client not in self._lines:
            self._lines[client] = _Line()
            self._ring.append(client)
        return self._lines[client]

    def _drop_if_empty(self, client: ClientId) -> None:
        if not self._lines[client].waiting:
            del self._lines[client]
            if self._ring[0] == client:
                self._is_served = False
            self._ring.remove(client)
