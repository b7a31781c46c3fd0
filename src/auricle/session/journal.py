"""The finals that a client has not acknowledged yet: what is told again when it comes back."""

from collections import deque

from auricle.events import Final

MAX_FINALS = 400
"""A client that acknowledges nothing keeps so many: more than an outbox and the buffers of a
connection hold (some 250), so none that was sent to a client that doesn't read is forgotten."""


class Journal:
    """Finals in their order, numbered from 1; the oldest go first when there are too many."""

    def __init__(self) -> None:
        self._finals: deque[Final] = deque(maxlen=MAX_FINALS)
        self._last_id = 0

    @property
    def next_id(self) -> int:
        """The number of the final that comes next."""
        return self._last_id + 1

    @property
    def finals(self) -> tuple[Final, ...]:
        """What is not acknowledged, oldest first."""
        return tuple(self._finals)

    def add(self, final: Final) -> None:
        """Write down a final; its ``id`` is :attr:`next_id`."""
        if final.id != self.next_id:
            raise ValueError(f"final {final.id} is not number {self.next_id}")
        self._finals.append(final)
        self._last_id = final.id

    def acknowledge(self, result: int) -> None:
        """Forget all finals up to this one; numbers that were never given are fine."""
        while self._finals and self._finals[0].id <= result:
            self._finals.popleft()
