"""Finals that the client has not acknowledged: replayed when it resumes."""

from collections import deque

from auricle.values.events import Final

MAX_FINALS = 400
"""Finals kept for a client that acknowledges none. An outbox and the buffers of a connection hold
fewer (about 250), so no final sent to a client that does not read is lost."""


class Journal:
    """Finals in order, numbered from 1; the oldest are dropped above :data:`MAX_FINALS`."""

    def __init__(self) -> None:
        self._finals: deque[Final] = deque(maxlen=MAX_FINALS)
        self.last_id = 0
        """The number of the newest final; 0 if there is none."""

    @property
    def next_id(self) -> int:
        """The number of the next final."""
        return self.last_id + 1

    @property
    def finals(self) -> tuple[Final, ...]:
        """The unacknowledged finals, oldest first."""
        return tuple(self._finals)

    def add(self, final: Final) -> None:
        """Append a final.

        Raises:
            ValueError: Its ``id`` is not :attr:`next_id`.
        """
        if final.id != self.next_id:
            raise ValueError(f"final has id {final.id}; expected {self.next_id}")
        self._finals.append(final)
        self.last_id = final.id

    def replace(self, final: Final) -> None:
        """Replace the unacknowledged final with the same ``id``, if there is one."""
        for index, earlier in enumerate(self._finals):
            if earlier.id == final.id:
                self._finals[index] = final

    def acknowledge(self, result: int) -> None:
        """Drop all finals up to this number; numbers not yet assigned are allowed."""
        while self._finals and self._finals[0].id <= result:
            self._finals.popleft()
