"""Calls the readers of a feed when it has changed, a few at a time.

Sending to hundreds of readers at once would hold the event loop and delay the audio of every
speaker. So other work gets its turn after each group.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from auricle.system.logs import log_unexpected

GROUP = 32
"""Readers called in a row; sending to them takes half a millisecond."""

Listener = Callable[[], None]


class Notifier:
    """Calls all listeners, in their order; see the module."""

    def __init__(self) -> None:
        self._listeners: dict[Listener, None] = {}
        self._waiting: deque[Listener] = deque()
        self._is_repeated = False

    @contextmanager
    def subscribed(self, listener: Listener) -> Iterator[None]:
        """Call a listener at each change; it must not wait."""
        self._listeners[listener] = None
        try:
            yield
        finally:
            del self._listeners[listener]

    def notify(self) -> None:
        """Call all listeners soon; once more, if some of an earlier call are still waiting."""
        if self._waiting:
            self._is_repeated = True
        elif self._listeners:
            self._waiting.extend(self._listeners)
            asyncio.get_running_loop().call_soon(self._call_group)

    def _call_group(self) -> None:
        for _ in range(min(GROUP, len(self._waiting))):
            listener = self._waiting.popleft()
            if listener in self._listeners:
                try:
                    listener()
                except Exception as error:  # a failure of one must not silence the others
                    log_unexpected(error)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._call_group)
        elif self._is_repeated:
            self._is_repeated = False
            self.notify()
