"""Wakes the readers of a feed, a few at a time.

Hundreds of readers that are woken at once would hold the event loop for as long as it takes to send
to all of them, and delay the audio of every speaker. So other work gets its turn after each group.
"""

import asyncio
from collections import OrderedDict

import anyio

GROUP = 16
"""Readers woken at once; sending to them takes about a millisecond."""


class Bell:
    """Wakes everything that waits for it, in order of arrival; see the module."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[anyio.Event, None] = OrderedDict()
        self._due = 0

    async def wait(self) -> None:
        """Wait for the next ring."""
        event = anyio.Event()
        self._waiting[event] = None
        try:
            await event.wait()
        finally:
            self._waiting.pop(event, None)

    def ring(self) -> None:
        """Wake all that wait now."""
        is_ringing = self._due > 0
        self._due = len(self._waiting)
        if not is_ringing:
            self._wake_group()

    def _wake_group(self) -> None:
        for _ in range(min(GROUP, self._due, len(self._waiting))):
            event, _ = self._waiting.popitem(last=False)
            event.set()
        self._due = min(self._due - GROUP, len(self._waiting))
        if self._due > 0:
            asyncio.get_running_loop().call_soon(self._wake_group)
