"""A port that tells HAProxy how much more this server can take.

HAProxy's agent check connects, reads one line and hangs up: the line says whether new clients may
come, and with what weight compared with the other servers (HAProxy's configuration manual,
``agent-check``). Nothing is read, no connection outlives its line, and nothing waits: who would
have to be waited for is cut off.
"""

import asyncio
import math
import socket
from collections.abc import Sequence

from auricle.server.context import ServerState

LEAST_PERCENT = 1
"""A server that is full still answers who comes, with when to come back; 0 would drain it."""
BACKLOG = 16


def agent_line(*, is_ready: bool, is_draining: bool, free_share: float) -> bytes:
    """Return what the agent says.

    Args:
        is_ready: Whether speech can be recognised now.
        is_draining: Whether the server is about to go.
        free_share: What of its capacity is free, from 0 to 1.
    """
    if is_draining:
        return b"drain\n"
    if not is_ready:
        return b"down\n"
    percent = max(LEAST_PERCENT, math.ceil(100 * min(1.0, max(0.0, free_share))))
    return b"up ready %d%%\n" % percent  # both: they undo `down` and `drain` of before


def line_of(server: ServerState) -> bytes:
    """Return what the agent of a server says now.

    Free is what the scarcer of two things has left: places for live sessions, and the recognisers.
    """
    return agent_line(
        is_ready=server.transcriber.stats().is_working,
        is_draining=server.is_draining,
        free_share=min(server.live.free_share, 1.0 - server.live.load),
    )


class _Answer(asyncio.Protocol):
    """One connection: the line goes out as it is made, and that was it."""

    def __init__(self, server: ServerState) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        transport.write(line_of(self._server))
        if transport.get_write_buffer_size():  # not even a line is taken at once
            transport.abort()
        else:
            transport.close()


async def serve_agent(server: ServerState, sockets: Sequence[socket.socket]) -> None:
    """Answer whoever connects, until cancelled; the sockets are closed then."""
    loop = asyncio.get_running_loop()
    listeners = [
        await loop.create_server(lambda: _Answer(server), sock=found, backlog=BACKLOG)
        for found in sockets
    ]
    try:
        await loop.create_future()
    finally:
        for listener in listeners:
            listener.close()
