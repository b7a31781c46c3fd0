"""Slots shared fairly by clients: for chunks of files in flight, and for long renderings.

Reading waits for a slot, so that a file of any length needs the memory of a few chunks. The client
with the fewest slots gets the next one, so that many files of one client do not delay a single file
of another. Slots of one client are given in order of request.
"""

from collections import Counter, deque

import anyio

from auricle.values.types import ClientId


class FairSemaphore:
    """A number of slots; call :meth:`leave` once for each :meth:`enter` that returned.

    Args:
        width: Number of slots. It may be raised at any time, or lowered, which takes effect as
            slots are released.
        max_per_client: Maximum slots of one client; ``None``: all of them.
    """

    def __init__(self, width: int, max_per_client: int | None = None) -> None:
        self._width = width
        self._max_per_client = max_per_client
        self._held: Counter[ClientId] = Counter()
        self._waiting: dict[ClientId, deque[anyio.Event]] = {}

    @property
    def width(self) -> int:
        """Number of slots."""
        return self._width

    @width.setter
    def width(self, places: int) -> None:
        self._width = places
        self._let_in()

    @property
    def held(self) -> int:
        """Number of slots in use."""
        return self._held.total()

    def share(self, client: ClientId) -> float:
        """Return the part of one slot of a client, if all clients with slots have equal parts."""
        return 1 / (len(self._held) * self._held[client])

    async def enter(self, client: ClientId) -> None:
        """Wait for a slot without a time limit; cancelling the call ends the wait."""
        turn = anyio.Event()
        self._waiting.setdefault(client, deque()).append(turn)
        self._let_in()
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self.leave(client)
            else:
                self._forget(client, turn)
            raise

    def leave(self, client: ClientId) -> None:
        """Release a slot."""
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.held < self._width:
            client = min(self._waiting, key=self._held.__getitem__)
            if self._held[client] == self._max_per_client:
                return
            turn = self._waiting[client][0]
            self._forget(client, turn)
            self._held[client] += 1
            turn.set()

    def _forget(self, client: ClientId, turn: anyio.Event) -> None:
        line = self._waiting[client]
        line.remove(turn)
        if not line:
            del self._waiting[client]
