"""Limits how fast one connection is read, by the event loop time its parsing takes.

All connections are parsed on one event loop. Tiny chunks or messages cost far more than their
bytes: 256 KiB, asyncio's read size, block the loop for a quarter of a second as one-byte chunks,
and for several seconds as pings. So each read is small, and a connection that has used its share of
the loop's time is not read for a while.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from auricle.server.net.loop_budget import TimeShare

BURST_S = 0.25
"""Burst allowance for parsing, in seconds; replaying half a minute of Opus takes half of it."""

MAX_PAUSE_S = 1.0
"""Longest pause, in seconds: a disconnect goes unnoticed during it. The remainder extends the next
pause."""


class PacedReading:
    """Pauses and resumes reading of a connection.

    Args:
        transport: The connection's transport.
        read_bytes: Maximum bytes per read, where the transport can be configured.
        wants_data: Returns whether the owner currently wants to read.
    """

    def __init__(
        self, transport: asyncio.Transport, read_bytes: int, wants_data: Callable[[], bool]
    ) -> None:
        self._transport = transport
        self._wants_data = wants_data
        self._share = TimeShare(time.monotonic(), BURST_S)
        self._pause: asyncio.TimerHandle | None = None
        if hasattr(transport, "max_size"):  # asyncio's plain transport; for TLS see server.py
            transport.max_size = read_bytes

    @contextmanager
    def parsing(self) -> Iterator[None]:
        """Measure the time of the block, and pause reading if the connection is over its share."""
        began_at = time.monotonic()
        yield
        pause_s = self._share.pause_s(began_at, time.monotonic())
        if pause_s and self._pause is None:
            self._transport.pause_reading()
            loop = asyncio.get_running_loop()
            self._pause = loop.call_later(min(pause_s, MAX_PAUSE_S), self._end_pause)

    def pause_reading(self) -> None:
        """Pause reading on the owner's request."""
        self._transport.pause_reading()

    def resume_reading(self, after_s: float = 0.0) -> None:
        """Resume reading on the owner's request, once any throttle pause is over.

        Args:
            after_s: Pause before that, in seconds.
        """
        if self._pause is None and after_s > 0:
            self._pause = asyncio.get_running_loop().call_later(after_s, self._end_pause)
        elif self._pause is None:
            self._transport.resume_reading()

    def _end_pause(self) -> None:
        self._pause = None
        if self._wants_data():
            self._transport.resume_reading()
