"""Reads from one connection no more than the loop has time for.

Parsing is done on the loop, for all connections. What comes in tiny bits costs a thousand times its
bytes: 256 KiB, which asyncio reads at once, stop everybody for a quarter of a second if they are
chunks of a byte each, for several if they are pings. So little is read at once, and a connection
that has taken its share of the loop's time is not read for a while.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from auricle.server.net.loop_budget import TimeShare

BURST_S = 0.25
"""So much parsing is free: half a minute of Opus that comes again takes half of it."""

MAX_REST_S = 1.0
"""Meanwhile it isn't noticed that the peer has left; what is still owed makes the next rest longer.
"""


class PacedReading:
    """Decides when a connection is read.

    Args:
        transport: The connection's.
        read_bytes: Most bytes that are read at once, where the transport lets us say.
        is_wanted: Tells whether its owner would read, but for us.
    """

    def __init__(
        self, transport: asyncio.Transport, read_bytes: int, is_wanted: Callable[[], bool]
    ) -> None:
        self._transport = transport
        self._is_wanted = is_wanted
        self._share = TimeShare(time.monotonic(), BURST_S)
        self._rest: asyncio.TimerHandle | None = None
        if hasattr(transport, "max_size"):  # asyncio's own; what TLS gives is set for all at once
            transport.max_size = read_bytes

    @contextmanager
    def parsing(self) -> Iterator[None]:
        """Take note of how long this takes, and let the connection rest if that is too much."""
        began_at = time.monotonic()
        yield
        pause_s = self._share.pause_s(began_at, time.monotonic())
        if pause_s and self._rest is None:
            self._transport.pause_reading()
            loop = asyncio.get_running_loop()
            self._rest = loop.call_later(min(pause_s, MAX_REST_S), self._end_rest)

    def pause_reading(self) -> None:
        """Stop reading for the owner's own reasons."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on, or do so after the rest."""
        if self._rest is None:
            self._transport.resume_reading()

    def _end_rest(self) -> None:
        self._rest = None
        if self._is_wanted():
            self._transport.resume_reading()
