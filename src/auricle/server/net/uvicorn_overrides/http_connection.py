"""uvicorn's HTTP connection with timeouts for slow clients and errors for malformed requests.

uvicorn closes connections that idle after a response. It does not close those that never send a
request, stop in the middle of a request head, or do not read the response; a few thousand of them
would exhaust the file descriptors. It also does not report why a request is malformed or too long.
A body in one-byte chunks would block all other connections (see ``net/read_throttle.py``).
"""

import asyncio
import sys
from collections.abc import Callable
from functools import partial

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from auricle.server.http.errors import raw_error_response
from auricle.server.http.request_log import new_request_id, request_id_of
from auricle.server.net.http_framing import BadFraming, ServerConnection
from auricle.server.net.lingering import DiscardedBody, end_writing
from auricle.server.net.peer import BODY_EXTENSION
from auricle.server.net.read_throttle import PacedReading
from auricle.values.errors import AuricleError, HeadTooLarge, IdleTimeout, RemoteProtocolError

HEAD_S = 30.0
"""Timeout for receiving a request head, in seconds; for the first one, from the connection's start.
"""
STALL_S = 60.0
"""Timeout for a client that reads none of a pending response, in seconds."""
MAX_HEAD_BYTES = 16 * 1024
"""Maximum request head, including request line and final blank line; other servers accept 8 KiB."""
READ_BYTES = 16 * 1024
"""Bytes per read: 2,700 one-byte chunks (14 ms), or the lines of two heads (6 ms each)."""
LINGER_S = 2.0
"""Time a client has to read the error for a malformed request, in seconds."""


class HttpConnection(H11Protocol):
    """An HTTP/1.1 connection; uvicorn creates one for each. See the module."""

    head_s, stall_s = HEAD_S, STALL_S
    _deadline: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    _is_given_up = False
    _discarded: DiscardedBody | None = None
    on_writable: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Set up the parser and start the timeout for the first request."""
        super().connection_made(transport)
        self.conn = ServerConnection(MAX_HEAD_BYTES)
        self._socket = transport
        self.transport = _LingeringTransport(transport, self._close)  # type: ignore[assignment]
        self._reading = PacedReading(transport, READ_BYTES, lambda: not self.flow.read_paused)
        self.flow = FlowControl(self._reading)  # type: ignore[arg-type]  # it calls pause and resume only
        self.app = partial(self._run_with_body, self.app)
        self._start_head_timer()

    async def _run_with_body(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Run the application, whose routes may write a body directly; see :class:`.BodyWriter`."""
        scope["extensions"] = {BODY_EXTENSION: {"writer": self}}
        await app(scope, receive, send)

    @property
    def is_full(self) -> bool:
        """See :class:`.BodyWriter`."""
        return self.flow.write_paused

    def write_body(self, data: bytes) -> None:
        """See :class:`.BodyWriter`; framed as h11 frames the rest of the response.

        That is in chunks (RFC 9112 §7.1); in HTTP/1.0, the response ends with the connection.
        """
        if data and not self._socket.is_closing():
            cycle: RequestResponseCycle = self.cycle
            is_chunked = cycle.scope["http_version"] == "1.1"
            self._socket.write(b"%x\r\n%b\r\n" % (len(data), data) if is_chunked else data)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes."""
        if self._is_given_up:
            return
        if self._discarded is not None:
            self._discarded.receive(data)
            return
        with self._reading.parsing():
            super().data_received(data)
        if not self._is_given_up:
            self._start_head_timer()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over to the WebSocket protocol."""
        self.transport = self._socket
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Wait for the next request, unless the rest of a body is being discarded."""
        super().on_response_complete()
        if self._discarded is not None:
            self._unset_keepalive_if_required()

    def send_400_response(self, msg: str) -> None:
        """Send a specific error for a malformed request, in place of uvicorn's generic one."""
        error = sys.exception()
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431:
            self._refuse(HeadTooLarge(f"The request head exceeds {MAX_HEAD_BYTES} bytes."))
        elif isinstance(error, BadFraming):
            self._refuse(
                RemoteProtocolError(
                    "Ambiguous body length: send Content-Length or, in HTTP/1.1, "
                    "Transfer-Encoding, but not both."
                )
            )
        else:
            self._refuse(RemoteProtocolError("Malformed HTTP/1.1 request."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers."""
        self._cancel_head_timer()
        self._cancel_stall_timer()
        if self._discarded is not None:
            self._discarded.close()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Pause the response and start the stall timeout."""
        super().pause_writing()
        self._start_stall_timer()

    def resume_writing(self) -> None:
        """Resume the response and cancel the stall timeout."""
        self._cancel_stall_timer()
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()

    def _close(self) -> None:
        """Close the connection; if a request body is still arriving, discard it first."""
        cycle: RequestResponseCycle | None = self.cycle
        is_answered = cycle is not None and cycle.response_complete
        is_unread = is_answered and self.conn.their_state is h11.SEND_BODY
        if is_unread and self._discarded is None and not self._socket.is_closing():
            self._discarded = DiscardedBody(self._socket)
            self.flow.resume_reading()
        else:
            self._socket.close()

    def _start_stall_timer(self) -> None:
        left_bytes = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self.stall_s, self._check_reader, left_bytes)

    def _check_reader(self, left_bytes: int) -> None:
        """Abort the connection if the client has read nothing since the last check."""
        if self.transport.get_write_buffer_size() < left_bytes:
            self._start_stall_timer()
        else:
            self.transport.abort()

    def _cancel_stall_timer(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _start_head_timer(self) -> None:
        """Start the head timeout while a head is awaited; cancel it otherwise."""
        if self.conn.their_state is not h11.IDLE:
            self._cancel_head_timer()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_s, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        if self.conn.their_state is not h11.IDLE:
            return
        if self.conn.trailing_data[0]:
            self._refuse(IdleTimeout(f"The request head took longer than {self.head_s:g} s."))
        else:
            self.transport.abort()

    def _refuse(self, error: AuricleError) -> None:
        """Send an error, stop parsing, and close once the client has had time to read it.

        Closing a socket with unread bytes would destroy the response (see ``net/lingering.py``).
        """
        self._is_given_up = True
        request_id = new_request_id()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            request_id = request_id_of(cycle.scope)  # type: ignore[arg-type]  # a TypedDict
            cycle.disconnected = True  # discard the application's response
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        self.transport.write(raw_error_response(error, request_id))
        end_writing(self._socket)
        self.loop.call_later(LINGER_S, self._socket.close)

    def _cancel_head_timer(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _LingeringTransport:
    """A transport whose ``close`` is replaced by the connection's.

    uvicorn closes the transport once the response is sent, even while the body is still arriving.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self.close = close

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)
