"""uvicorn's WebSocket, with what a live session needs of it beyond ASGI.

- When bytes last came, pings and pieces of messages among them: any byte counts as life.
- Little is buffered on the way out, so that a slow reader gets news rather than old guesses.
- A peer that does not read can be closed all the same: it has a while to find the close frame, then
  the connection is cut. uvicorn itself would wait for ever for room to write.
- A peer that still sends when it is told to go (a message of 16 MB) is read until it has seen why:
  closing a socket that holds unread bytes destroys what was sent (see :mod:`.lingering`).

Nothing is asked of a client's pongs: not reading is our back-pressure, and would starve them.
"""

import asyncio
import contextlib
import socket
import time
from asyncio.transports import BaseTransport
from typing import TYPE_CHECKING, Any, Protocol

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from websockets.http11 import Request

MAX_MESSAGE_BYTES = 2**20
"""Half a minute of PCM16, minutes of Opus; larger messages are refused with 1009."""

SEND_BUFFER_BYTES = 32 * 1024
"""Asked of the kernel: some hundred results."""

WRITE_BUFFER_BYTES = 8 * 1024
"""Above it a sender waits."""

MAX_UNREAD_BYTES = 256 * 1024
"""A peer that makes us answer (pings) and reads nothing is cut off here."""

LINGER_S = 5.0
"""How long a peer has to answer a close frame."""

_EXTENSION = "auricle.peer"


class Peer(Protocol):
    """What a route may know of its connection, and do to it, beyond ASGI."""

    received_at: float
    """Monotonic seconds at which bytes last came."""

    def give_up(self, code: int, reason: str) -> None:
        """Close without waiting for room to write."""
        ...


class WebSocketConnection(WebSocketsSansIOProtocol):
    """See the module; uvicorn makes one for each connection."""

    received_at = 0.0

    def connection_made(self, transport: BaseTransport) -> None:
        """Keep the buffers small."""
        super().connection_made(transport)
        self.received_at = time.monotonic()
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        with contextlib.suppress(OSError, AttributeError):  # not a TCP socket
            found: socket.socket = transport.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Take in bytes; what comes after a violation is thrown away."""
        self.received_at = time.monotonic()
        if self.conn.parser_exc is None:
            super().data_received(data)

    def handle_connect(self, event: "Request") -> None:
        """Let the route find this connection."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][_EXTENSION] = {"peer": self}

    def handle_ping(self) -> None:
        """Answer, unless the answers are not read."""
        if self.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.transport.abort()
        else:
            super().handle_ping()

    def handle_parser_exception(self) -> None:
        """Close as the protocol says, and read on until the peer has seen it."""
        close = self.conn.close_sent
        code, reason = (1006, "") if close is None else (close.code, close.reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._linger()

    async def send(self, message: Any) -> None:
        """Send what the route says; a close is not waited for any longer than ``LINGER_S``."""
        await super().send(message)
        if message["type"] == "websocket.close":
            self._linger()

    def give_up(self, code: int, reason: str) -> None:
        """See :class:`Peer`."""
        if self.close_sent or self.disconnected or not self.handshake_complete:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._linger()

    def _linger(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()


def peer_of(scope: Scope) -> Peer | None:
    """Return the connection that a request came over; ``None`` under other servers."""
    found = scope.get("extensions", {}).get(_EXTENSION, {}).get("peer")
    return found if isinstance(found, WebSocketConnection) else None
