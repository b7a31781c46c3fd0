"""Writes to the database in the background, in order and without delaying what is live.

Items wait in memory until the database has committed them. While it does not answer, they wait
longer; what it refuses for another reason is given up.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Generic, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from auricle.values.errors import AuricleError

T = TypeVar("T")

MAX_PENDING = 10_000
"""Items that wait for the database; several minutes of a busy server."""
MAX_BATCH = 500
RETRY_S = 1.0
LAST_WRITES_S = 5.0
"""Longest time to write what is left when the server stops."""


class BackgroundWriter(Generic[T]):
    """Writes items in batches; see the module.

    Args:
        write: Writes a part of a batch in a transaction; it runs in a thread.
        done: Called with each part that was written, or given up.
        give_up: Called with a part that the database refuses, and the error.
        wait: Called with the error if the database does not answer.
        threads: Limits the threads that write.
        parts: Divides a batch; each part is written, or given up, as a whole.
    """

    def __init__(
        self,
        *,
        write: Callable[[Sequence[T]], object],
        done: Callable[[Sequence[T]], object],
        give_up: Callable[[Sequence[T], Exception], object],
        wait: Callable[[AuricleError], object],
        threads: CapacityLimiter,
        parts: Callable[[Sequence[T]], Iterable[Sequence[T]]] = lambda batch: (batch,),
    ) -> None:
        self._write = write
        self._done = done
        self._give_up = give_up
        self._wait = wait
        self._threads = threads
        self._parts = parts
        self.pending: deque[T] = deque()
        self._changed = anyio.Event()
        self._progress = anyio.Event()

    @property
    def is_full(self) -> bool:
        """Whether the maximum number of items waits."""
        return len(self.pending) >= MAX_PENDING

    def put(self, item: T) -> None:
        """Queue an item."""
        self.pending.append(item)
        self._changed.set()

    async def progress(self) -> None:
        """Wait until the next part is done."""
        await self._progress.wait()

    async def run(self) -> None:
        """Write until cancelled; then write what is left, for a limited time."""
        try:
            while True:
                await self._changed.wait()
                self._changed = anyio.Event()
                await self._write_pending()
        finally:
            with anyio.move_on_after(LAST_WRITES_S, shield=True):
                await self._write_pending()

    async def _write_pending(self) -> None:
        """Write all pending items; each leaves the queue once it is done."""
        while self.pending:
            batch = list(islice(self.pending, MAX_BATCH))
            for part in self._parts(batch):
                await self._write_part(part)
                self._done(part)
                self._progress.set()
                self._progress = anyio.Event()
            for _ in batch:
                self.pending.popleft()

    async def _write_part(self, part: Sequence[T]) -> None:
        while True:
            try:
                await to_thread.run_sync(
                    self._write, part, abandon_on_cancel=True, limiter=self._threads
                )
            except AuricleError as error:
                self._wait(error)
                await anyio.sleep(RETRY_S)
            except Exception as error:  # the database refuses it, so that waiting is of no use
                self._give_up(part, error)
                return
            else:
                return
