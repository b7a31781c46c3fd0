"""The places for pieces of files in flight, shared by all files of one service.

Reading waits for a place, so that a file of any length takes the memory of a few pieces. Whoever
has the fewest places gets the next: one client's many files don't keep another's single one
waiting behind them. Among a client's own, first come, first served.
"""

from collections import Counter, deque

import anyio

from auricle.types import ClientId


class FairSemaphore:
    """So many places; call :meth:`leave` once for each :meth:`enter` that returned.

    Args:
        width: How many there are; more may be added at any time, or fewer, which come back as they
            are left.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._held: Counter[ClientId] = Counter()
        self._waiting: dict[ClientId, deque[anyio.Event]] = {}

    @property
    def width(self) -> int:
        """How many places there are."""
        return self._width

    @width.setter
    def width(self, places: int) -> None:
        self._width = places
        self._let_in()

    @property
    def held(self) -> int:
        """How many are taken."""
        return self._held.total()

    async def enter(self, client: ClientId) -> None:
        """Wait for a place, for as long as it takes; cancelling the call gives its turn up."""
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
        """Give a place back."""
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.held < self._width:
            client = min(self._waiting, key=self._held.__getitem__)
            turn = self._waiting[client][0]
            self._forget(client, turn)
            self._held[client] += 1
            turn.set()

    def _forget(self, client: ClientId, turn: anyio.Event) -> None:
        line = self._waiting[client]
        line.remove(turn)
        if not line:
            del self._waiting[client]
