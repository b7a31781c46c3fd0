"""uvicorn's WebSocket, with what a live session needs of it beyond ASGI.

- When bytes last came, pings and pieces of messages among them: any byte counts as life.
- Little is buffered on the way out, so that a slow reader gets news rather than old guesses.
- A peer that does not read can be closed all the same: it has a while to find the close frame, then
  the connection is cut. uvicorn itself would wait for ever for room to write.
- A peer that still sends when it is told to go (a message of 16 MB) is read until it has seen why:
  closing a socket that holds unread bytes destroys what was sent (see :mod:`.lingering`).
- Little is read in one go, and not from who takes more than a share of the loop's time by pings,
  pongs or tiny pieces of messages, which no route ever sees (see :mod:`.pacing`).
- A peer that broke the protocol still gets the last messages of its route, before the close frame.
- A message in a million pieces takes no more memory than its bytes.

Nothing is asked of a client's pongs: not reading is our back-pressure, and would starve them.
"""

import asyncio
import contextlib
import logging
import socket
import time
from asyncio.transports import BaseTransport
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from starlette.types import Scope
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import SecurityError
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from auricle.errors import AuricleError, HeadTooLarge, RemoteProtocolError
from auricle.server.http.errors import log_unseen, raw_error_response
from auricle.server.http.request_log import REQUEST_ID, new_request_id, request_id_of
from auricle.server.http.uniform_routes import without_slash
from auricle.server.net.read_throttle import PacedReading

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

MAX_MESSAGE_BYTES = 2**20
"""Half a minute of PCM16, minutes of Opus; larger messages are refused with 1009."""

MAX_JSON_AUDIO_BYTES = 16 * 2**20
"""A message at a path where audio travels in JSON: OpenAI allows 15 MiB of base64 in one."""

_MAX_BYTES_AT = {"/v1/realtime": MAX_JSON_AUDIO_BYTES}

SEND_BUFFER_BYTES = 32 * 1024
"""Asked of the kernel: some hundred results."""

READ_BYTES = 4 * 1024
"""Read at once: an eighth of a second of PCM16, or 680 pings (20 ms; each is answered at once)."""

WRITE_BUFFER_BYTES = 8 * 1024
"""Above it a sender waits."""

MAX_UNREAD_BYTES = 256 * 1024
"""A peer that makes us answer (pings) and reads nothing is cut off here."""

VIOLATION_S = 15.0
"""How long a route may take to send its last messages to a peer that broke the protocol."""

LINGER_S = 5.0
"""How long a peer has to answer a close frame."""
LINGER_PAUSE_S = 0.5
"""One that broke the protocol and is silent for so long has read why, or never will."""

PEER_EXTENSION = "auricle.peer"
"""Where in an ASGI scope a route finds its connection."""


class Peer(Protocol):
    """What a route may know of its connection, and do to it, beyond ASGI."""

    received_at: float
    """Monotonic seconds at which bytes last came."""
    violation_code: int | None
    """The code that the peer was closed with for breaking WebSocket itself."""

    @property
    def has_more(self) -> bool:
        """Whether more messages are here, so that the route would not wait for the next."""
        ...

    def give_up(self, code: int, reason: str) -> None:
        """Close without waiting for room to write."""
        ...


class _ServerProtocol(ServerProtocol):
    """Gives each answer to a handshake a request id.

    Answers of the application have theirs already; uvicorn and websockets write others themselves:
    400 and 426 for what is no good handshake, 403 for one that is not accepted, and 500.
    """

    def __init__(self, answer_id: Callable[[int], str], *, max_size: int | None) -> None:
        super().__init__(max_size=max_size, logger=logging.getLogger("uvicorn.error"))
        self._answer_id = answer_id

    def send_response(self, response: "Response") -> None:
        """Send the answer to the handshake."""
        if REQUEST_ID not in response.headers:
            response.headers[REQUEST_ID] = self._answer_id(response.status_code)
        super().send_response(response)


class WebSocketConnection(WebSocketsSansIOProtocol):
    """See the module; uvicorn makes one for each connection."""

    received_at = 0.0
    violation_code: int | None = None
    _held_close: bytes | None = None
    """The close frame for a violation, until the route has sent its last messages."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Keep the buffers small, and reads too."""
        super().connection_made(transport)
        self.conn = _ServerProtocol(self._answer_id, max_size=self.config.ws_max_size)
        self.received_at = time.monotonic()
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._reading = PacedReading(transport, READ_BYTES, lambda: not self.read_paused)
        with contextlib.suppress(OSError, AttributeError):  # not a TCP socket
            found: socket.socket = transport.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Take in bytes: what comes before a violation counts, what comes after it does not."""
        self.received_at = time.monotonic()
        if self.conn.parser_exc is not None:
            return
        with self._reading.parsing():
            self.conn.receive_data(data)
            self.handle_events()
        if not self.handshake_initiated:
            self._refuse_handshake()
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()

    def handle_connect(self, event: "Request") -> None:
        """Let the route find this connection, and its path say how large messages may be."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            path = without_slash(self.scope["path"])
            self.conn.max_message_size = _MAX_BYTES_AT.get(path, self.conn.max_message_size)
            self.scope["extensions"][PEER_EXTENSION] = {"peer": self}

    def handle_cont(self, event: "Frame") -> None:
        """Add a piece to its message."""
        if isinstance(self.frames[0], bytes):
            self.frames = [bytearray(self.frames[0])]  # type: ignore[list-item]
        self.frames[0] += event.data
        if event.fin:
            self.frames = [bytes(self.frames[0])]
            self.send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer, unless the answers are not read."""
        if self.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.transport.abort()
        else:
            super().handle_ping()

    def handle_parser_exception(self) -> None:
        """Close as the protocol says, once the route has sent its last messages."""
        if self.violation_code is not None:
            return
        close = self.conn.close_sent
        code, reason = (1006, "") if close is None else (close.code, close.reason)
        self.violation_code = code
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._held_close = b"".join(self.conn.data_to_send())
        self.close_timer = self.loop.call_later(VIOLATION_S, self._send_held_close)

    def _send_held_close(self) -> None:
        """Send the close frame for a violation, and read on until the peer has seen it."""
        held, self._held_close = self._held_close, None
        if held is None or self.disconnected:
            return
        self.transport.write(held)
        self.close_sent = True
        self._linger()
        self._close_when_silent(self.loop.time() + LINGER_S)

    async def run_asgi(self) -> None:
        """Run the route; see :meth:`handle_parser_exception`."""
        await super().run_asgi()
        self._send_held_close()

    def shutdown(self) -> None:
        """Close now, as the server stops."""
        self._send_held_close()
        super().shutdown()

    @property
    def has_more(self) -> bool:
        """See :class:`Peer`."""
        return not self.queue.empty()

    async def receive(self) -> Any:
        """Return the next message, and read on after the last one."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self._reading.resume_reading()
        return message

    async def send(self, message: Any) -> None:
        """Send what the route says; a close is not waited for any longer than ``LINGER_S``.

        Raises:
            ClientDisconnected: The connection is closed.
        """
        await self.writable.wait()
        if self.close_sent:
            raise ClientDisconnected
        if self._held_close is not None and not self.disconnected:
            self._send_last(message)
            return
        await super().send(message)
        if message["type"] == "websocket.close":
            self._linger()
        elif message["type"] == "websocket.http.response.body":
            # A refusal completes the handshake, too: uvicorn would log it as an error of ours.
            self.handshake_complete = not message.get("more_body", False)

    def _send_last(self, message: Any) -> None:
        """Send to a peer that broke the protocol: the library takes nothing for it any more."""
        if message["type"] == "websocket.send":
            frame = Frame(Opcode.TEXT, message["text"].encode())
            self.transport.write(frame.serialize(mask=False))
        else:
            self._send_held_close()

    def _refuse_handshake(self) -> None:
        """Say why a head that is good HTTP is no handshake: uvicorn would wait for ever."""
        error: AuricleError = RemoteProtocolError("This is no WebSocket handshake.")
        if isinstance(self.conn.handshake_exc, SecurityError):
            error = HeadTooLarge("A line of the request's head is too long, or there are too many.")
        self.transport.write(raw_error_response(error, new_request_id()))
        self.transport.close()

    def _answer_id(self, status: int) -> str:
        """Return the id for a handshake's answer that no route has written."""
        if hasattr(self, "scope"):
            return request_id_of(self.scope)  # type: ignore[arg-type]  # a TypedDict
        request_id = new_request_id()
        log_unseen(request_id, status, RemoteProtocolError.code)
        return request_id

    def give_up(self, code: int, reason: str) -> None:
        """See :class:`Peer`."""
        self._send_held_close()
        if self.close_sent or self.disconnected or not self.handshake_complete:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._linger()

    def _close_when_silent(self, until: float) -> None:
        """Close once a peer has stopped sending; its answer to the close frame isn't parsed."""
        if time.monotonic() - self.received_at >= LINGER_PAUSE_S:
            self.transport.close()
        elif not self.disconnected and self.loop.time() < until:
            self.loop.call_later(LINGER_PAUSE_S, self._close_when_silent, until)

    def _linger(self) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()


def peer_of(scope: Scope) -> Peer | None:
    """Return the connection that a request came over; ``None`` under other servers."""
    found: Peer | None = scope.get("extensions", {}).get(PEER_EXTENSION, {}).get("peer")
    return found
