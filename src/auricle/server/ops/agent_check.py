"""A port for HAProxy's agent check, which reports this server's free capacity.

HAProxy connects, reads one line and disconnects. The line says whether the server accepts new
clients, and its weight relative to the other servers (HAProxy's configuration manual,
``agent-check``). The server reads nothing, and aborts a connection whose line can't be sent at
once.
"""

import asyncio
import math
import socket
from collections.abc import Callable, Sequence

from auricle.server.lifecycle import Lifecycle
from auricle.server.live.registry import LiveSessions
from auricle.values.transcriber import Transcriber

MIN_PERCENT = 1
"""A full server still answers clients, with Retry-After; a weight of 0 would drain it."""
BACKLOG = 16


def agent_line(*, is_ready: bool, is_draining: bool, free_share: float) -> bytes:
    """Return the line of the agent check.

    Args:
        is_ready: Whether the server can recognise speech now.
        is_draining: Whether the server is draining.
        free_share: Free share of the capacity, from 0 to 1.
    """
    if is_draining:
        return b"drain\n"
    if not is_ready:
        return b"down\n"
    percent = max(MIN_PERCENT, math.ceil(100 * min(1.0, max(0.0, free_share))))
    return b"up ready %d%%\n" % percent  # `up` undoes `down`, `ready` undoes `drain`


def line_of(transcriber: Transcriber, lifecycle: Lifecycle, live: LiveSessions) -> bytes:
    """Return the current line for a server.

    The free share is the lower one of two: live session slots, and recognition capacity.
    """
    return agent_line(
        is_ready=transcriber.stats().is_working,
        is_draining=lifecycle.is_draining,
        free_share=min(live.places.free_share, 1.0 - live.load),
    )


class _Answer(asyncio.Protocol):
    """One connection: sends the line, then closes."""

    def __init__(self, line: Callable[[], bytes]) -> None:
        self._line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        transport.write(self._line())
        if transport.get_write_buffer_size():  # the line doesn't fit the socket's buffer
            transport.abort()
        else:
            transport.close()


async def serve_agent(line: Callable[[], bytes], sockets: Sequence[socket.socket]) -> None:
    """Serve agent checks until cancelled; closes the sockets at the end.

    Args:
        line: Returns the current line.
        sockets: The listening sockets.
    """
    loop = asyncio.get_running_loop()
    listeners = [
        await loop.create_server(lambda: _Answer(line), sock=listening, backlog=BACKLOG)
        for listening in sockets
    ]
    try:
        await loop.create_future()
    finally:
        for listener in listeners:
            listener.close()
