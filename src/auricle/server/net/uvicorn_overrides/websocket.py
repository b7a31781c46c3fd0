"""uvicorn's WebSocket, extended with what a live session needs beyond ASGI.

- It records when bytes were last received; pings and message fragments count too.
- Send buffers are small, so that a slow reader receives recent events, not old partials.
- A peer that does not read can be closed: it has a limited time to read the close frame, then the
  connection is aborted. uvicorn itself would wait indefinitely for buffer space.
- A peer that is still sending when it is closed (a message of 16 MB) is read until it has received
  the close frame: closing a socket with unread bytes discards sent data (see ``net/lingering.py``).
- Reads are small. A peer that exceeds its share of the loop's time with pings, pongs or tiny
  fragments, which no route sees, is not read for a while (see ``net/read_throttle.py``).
- A peer that violates the protocol still receives its route's last messages before the close frame.
- A message in a million fragments uses no more memory than its bytes.
- Few large messages arrive at the same time, each for a limited time: others are closed.

The server does not require pongs: it applies back-pressure by not reading, which delays them too.
"""

import asyncio
import contextlib
import logging
import socket
import time
from asyncio.transports import BaseTransport
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import SecurityError
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from auricle.server.http.errors import log_unseen, raw_error_response
from auricle.server.http.request_log import REQUEST_ID, new_request_id, request_id_of
from auricle.server.http.uniform_routes import without_slash
from auricle.server.net.peer import PEER_EXTENSION
from auricle.server.net.read_throttle import PacedReading
from auricle.values.errors import AuricleError, HeadTooLarge, RemoteProtocolError

if TYPE_CHECKING:
    from websockets.http11 import Request, Response

MAX_MESSAGE_BYTES = 2**20
"""Maximum message: half a minute of PCM16, minutes of Opus. Larger ones are closed with 1009."""


class AppConfig(uvicorn.Config):
    """uvicorn's configuration, with the message limits of an application.

    Attributes:
        max_message_bytes: The largest message by path; that of others is ``MAX_MESSAGE_BYTES``.
    """

    max_message_bytes: Mapping[str, int] = MappingProxyType({})


MAX_LARGE_MESSAGES, LARGE_MESSAGE_S = 8, 30.0
"""Messages above ``MAX_MESSAGE_BYTES`` that may be arriving, 128 MB in all, and the time in seconds
for each: an unfinished message is in memory."""

_large_arriving: set["WebSocketConnection"] = set()
"""The connections with an unfinished large message, of all servers of the process."""

SEND_BUFFER_BYTES = 32 * 1024
"""Kernel send buffer (SO_SNDBUF): about a hundred results."""

READ_BYTES = 4 * 1024
"""Bytes per read: an eighth of a second of PCM16, or 680 pings (20 ms, each answered at once)."""

WRITE_BUFFER_BYTES = 8 * 1024
"""High-water mark of the write buffer; senders wait above it."""

MAX_UNREAD_BYTES = 256 * 1024
"""Abort a peer that sends pings without reading the pongs, above this many buffered bytes."""

VIOLATION_S = 15.0
"""Time for a route to send its last messages after a protocol violation, in seconds."""

LINGER_S = 5.0
"""Time for a peer to answer a close frame, in seconds."""
LINGER_PAUSE_S = 0.5
"""After a violation, close once the peer has been silent this long, in seconds."""


class _ServerProtocol(ServerProtocol):
    """Adds a request id to every handshake response.

    The application's responses already have one. uvicorn and websockets send others themselves: 400
    and 426 for an invalid handshake, 403 for one that is not accepted, and 500.
    """

    def __init__(self, answer_id: Callable[[int], str], *, max_size: int | None) -> None:
        super().__init__(max_size=max_size, logger=logging.getLogger("uvicorn.error"))
        self._handshake_id = answer_id

    def send_response(self, response: "Response") -> None:
        """Send the handshake response, with a request id."""
        if REQUEST_ID not in response.headers:
            response.headers[REQUEST_ID] = self._handshake_id(response.status_code)
        super().send_response(response)


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket connection; uvicorn creates one for each. See the module."""

    received_at = 0.0
    read_interval_s = 0.0
    _is_full = False
    """Whether the last read has filled the buffer."""
    _held: Any = None
    """The next message, which was taken from the queue."""
    violation_code: int | None = None
    _large_timer: asyncio.TimerHandle | None = None
    _pending_close: bytes | None = None
    """The close frame for a violation, held until the route has sent its last messages."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Limit the buffer and read sizes."""
        super().connection_made(transport)
        self.conn = _ServerProtocol(self._handshake_id, max_size=self.config.ws_max_size)
        self.received_at = time.monotonic()
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._reading = PacedReading(transport, READ_BYTES, lambda: not self.read_paused)
        with contextlib.suppress(OSError, AttributeError):  # not a TCP socket
            connection: socket.socket = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; data after a protocol violation is ignored."""
        self.received_at = time.monotonic()
        self._is_full = len(data) >= READ_BYTES
        if self.violation_code is not None:
            return
        with self._reading.parsing():
            self.conn.receive_data(data)
            self.handle_events()
            self._limit_large_message()
        if not self.handshake_initiated:
            self._refuse_handshake()
        if self.conn.parser_exc is not None:
            self.handle_parser_exception()

    def handle_connect(self, event: "Request") -> None:
        """Expose this connection to the route, and set the message limit for its path."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            path = without_slash(self.scope["path"])
            assert isinstance(self.config, AppConfig)
            limit = self.config.max_message_bytes.get(path, self.conn.max_message_size)
            self.conn.max_message_size = limit
            self.scope["extensions"][PEER_EXTENSION] = {"peer": self}

    def handle_cont(self, event: "Frame") -> None:
        """Append a continuation frame to its message."""
        if isinstance(self.frames[0], bytes):
            self.frames = [bytearray(self.frames[0])]  # type: ignore[list-item]
        self.frames[0] += event.data
        if event.fin:
            self.frames = [bytes(self.frames[0])]
            self.send_receive_event_to_app()

    def send_receive_event_to_app(self) -> None:
        """Queue a complete message; text that is not UTF-8 is a protocol violation.

        uvicorn logs it as an error with a traceback, and fails at a second one in the same read.
        """
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                self.frames[0].decode()
            except UnicodeDecodeError as error:
                self._fail(1007, f"{error.reason} at position {error.start}")
                return
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Send a pong, or abort if the peer does not read."""
        if self.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self.transport.abort()
        else:
            super().handle_ping()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a large message."""
        self._end_large_message()
        super().connection_lost(exc)

    def _limit_large_message(self) -> None:
        """Close the connection if its unfinished message is one large message too many."""
        arriving_bytes = len(self.conn.reader.buffer) + (self.conn.current_size or 0)
        if arriving_bytes <= MAX_MESSAGE_BYTES:
            self._end_large_message()
        elif self._large_timer is None and len(_large_arriving) < MAX_LARGE_MESSAGES:
            _large_arriving.add(self)
            reason = f"A message of more than {MAX_MESSAGE_BYTES} bytes took too long."
            self._large_timer = self.loop.call_later(LARGE_MESSAGE_S, self._fail, 1008, reason)
        elif self._large_timer is None:
            self._fail(1013, "Too many large messages are arriving; send smaller ones.")

    def _end_large_message(self) -> None:
        timer, self._large_timer = self._large_timer, None
        if timer is not None:
            timer.cancel()
            _large_arriving.discard(self)

    def _fail(self, code: int, reason: str) -> None:
        """Close as after a protocol violation: what the peer still sends is discarded."""
        self._end_large_message()
        self.conn.fail(code, reason)
        self.conn.reader.buffer.clear()
        self.handle_parser_exception()

    def handle_parser_exception(self) -> None:
        """Handle a protocol violation: hold the close frame until the route has finished."""
        if self.violation_code is not None:
            return
        close = self.conn.close_sent
        code, reason = (1006, "") if close is None else (close.code, close.reason)
        self.violation_code = code
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self._pending_close = b"".join(self.conn.data_to_send())
        self.close_timer = self.loop.call_later(VIOLATION_S, self._send_pending_close)

    def _send_pending_close(self) -> None:
        """Send the close frame for a violation, and keep reading until the peer has received it."""
        close, self._pending_close = self._pending_close, None
        if close is None or self.disconnected:
            return
        self.transport.write(close)
        self.close_sent = True
        self._linger()
        self._close_when_silent(self.loop.time() + LINGER_S)

    async def run_asgi(self) -> None:
        """Run the route, then send a held close frame."""
        await super().run_asgi()
        self._send_pending_close()

    def shutdown(self) -> None:
        """Close the connection because the server stops."""
        self._send_pending_close()
        super().shutdown()

    @property
    def has_more(self) -> bool:
        """See :class:`auricle.server.net.peer.Peer`."""
        return self._held is not None or not self.queue.empty()

    async def receive(self) -> Any:
        """Return the next message, and resume reading once the queue is empty."""
        message, self._held = self._held, None
        if message is None:
            message = await self.queue.get()
        self._read_on()
        return message

    def take_binary(self) -> list[bytes]:
        """See :class:`auricle.server.net.peer.Peer`."""
        taken: list[bytes] = []
        while self._held is None and not self.queue.empty():
            message: Any = self.queue.get_nowait()
            if (data := message.get("bytes")) is None:
                self._held = message
            else:
                taken.append(data)
        self._read_on()
        return taken

    def _read_on(self) -> None:
        """Resume reading once all messages were taken.

        After a read that has filled the buffer there is more to read at once.
        """
        if self.read_paused and not self.has_more:
            self.read_paused = False
            passed_s = time.monotonic() - self.received_at
            self._reading.resume_reading(0.0 if self._is_full else self.read_interval_s - passed_s)

    async def send(self, message: Any) -> None:
        """Send a message from the route; after a close, abort unless answered in ``LINGER_S``.

        Raises:
            ClientDisconnected: The connection is closed.
        """
        await self.writable.wait()
        if self.close_sent:
            raise ClientDisconnected
        if self._pending_close is not None and not self.disconnected:
            self._send_last(message)
            return
        await super().send(message)
        if message["type"] == "websocket.close":
            self._linger()
        elif message["type"] == "websocket.http.response.body":
            # A rejection completes the handshake too; otherwise uvicorn logs an error.
            self.handshake_complete = not message.get("more_body", False)

    def _send_last(self, message: Any) -> None:
        """Send directly after a violation, as the websockets library no longer accepts data."""
        if message["type"] == "websocket.send":
            frame = Frame(Opcode.TEXT, message["text"].encode())
            self.transport.write(frame.serialize(mask=False))
        else:
            self._send_pending_close()

    def _refuse_handshake(self) -> None:
        """Reject valid HTTP that is not a WebSocket handshake; uvicorn would wait indefinitely."""
        error: AuricleError = RemoteProtocolError("Invalid WebSocket handshake.")
        if isinstance(self.conn.handshake_exc, SecurityError):
            error = HeadTooLarge("The request head has a line that is too long, or too many lines.")
        self.transport.write(raw_error_response(error, new_request_id()))
        self.transport.close()

    def _handshake_id(self, status: int) -> str:
        """Return a request id for a handshake response that no route has written."""
        if hasattr(self, "scope"):
            return request_id_of(self.scope)  # type: ignore[arg-type]  # a TypedDict
        request_id = new_request_id()
        log_unseen(request_id, status, RemoteProtocolError.code)
        return request_id

    def give_up(self, code: int, reason: str) -> None:
        """See :class:`auricle.server.net.peer.Peer`."""
        self._send_pending_close()
        if self.close_sent or self.disconnected or not self.handshake_complete:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._linger()

    def _close_when_silent(self, until: float) -> None:
        """Close once the peer stops sending; its close frame isn't parsed after a violation."""
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
