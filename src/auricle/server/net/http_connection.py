"""uvicorn's HTTP connection, which doesn't wait for ever for a request, nor for its reader.

uvicorn closes a connection that is silent after an answer, but not one that never asks, nor one
that sends half of a request's head, nor one that doesn't read its answer: a few thousand of them
would use up all file descriptors. Nor does it say what is wrong with a request that isn't HTTP, or
too long; and a body in chunks of a byte each would stop everybody else (see :mod:`.pacing`).
"""

import asyncio
import sys
from collections.abc import Callable

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from auricle.errors import AuricleError, HeadTooLarge, IdleTimeout, RemoteProtocolError
from auricle.server.http.errors import raw_error_response
from auricle.server.http.request_log import new_request_id, request_id_of
from auricle.server.net.http_framing import BadFraming, ServerConnection
from auricle.server.net.lingering import DiscardedBody, end_writing
from auricle.server.net.read_throttle import PacedReading

HEAD_S = 30.0
"""How long a client may take for the head of its next request, the first one from the start."""
STALL_S = 60.0
"""How long a client may read nothing of an answer that waits for it."""
MAX_HEAD_BYTES = 16 * 1024
"""Largest head, with the request line and the blank line at its end; others accept half of it."""
READ_BYTES = 16 * 1024
"""Read at once: 2,700 chunks of a byte each (14 ms), or the lines of two heads (6 ms each)."""
LINGER_S = 2.0
"""How long a client whose request can't be read has to read why."""


class HttpConnection(H11Protocol):
    """See the module; uvicorn makes one for each connection."""

    head_s, stall_s = HEAD_S, STALL_S
    _deadline: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    _is_given_up = False
    _discarded: DiscardedBody | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first request."""
        super().connection_made(transport)
        self.conn = ServerConnection(MAX_HEAD_BYTES)
        self._socket = transport
        self.transport = _AnsweringTransport(transport, self._close)  # type: ignore[assignment]
        self._reading = PacedReading(transport, READ_BYTES, lambda: not self.flow.read_paused)
        self.flow = FlowControl(self._reading)  # type: ignore[arg-type]  # nothing else is asked of it
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take in bytes."""
        if self._is_given_up:
            return
        if self._discarded is not None:
            self._discarded.receive(data)
            return
        with self._reading.parsing():
            super().data_received(data)
        if not self._is_given_up:
            self._await_head()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over."""
        self.transport = self._socket
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Wait for the next request, if there may be one."""
        super().on_response_complete()
        if self._discarded is not None:
            self._unset_keepalive_if_required()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong with what came, instead of uvicorn's few words."""
        error = sys.exception()
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431:
            self._refuse(HeadTooLarge(f"The request's head is longer than {MAX_HEAD_BYTES} bytes."))
        elif isinstance(error, BadFraming):
            self._refuse(
                RemoteProtocolError(
                    "The length of the body is ambiguous: send Content-Length or, in HTTP/1.1, "
                    "Transfer-Encoding, but not both."
                )
            )
        else:
            self._refuse(RemoteProtocolError("This can't be read as HTTP/1.1."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._forget_deadline()
        self._forget_stall()
        if self._discarded is not None:
            self._discarded.close()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """Go on."""
        self._forget_stall()
        super().resume_writing()

    def _close(self) -> None:
        """Close the connection; if the body of an answered request still comes, not at once."""
        cycle: RequestResponseCycle | None = self.cycle
        is_answered = cycle is not None and cycle.response_complete
        is_unread = is_answered and self.conn.their_state is h11.SEND_BODY
        if is_unread and self._discarded is None and not self._socket.is_closing():
            self._discarded = DiscardedBody(self._socket)
            self.flow.resume_reading()
        else:
            self._socket.close()

    def _await_reader(self) -> None:
        left_bytes = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self.stall_s, self._check_reader, left_bytes)

    def _check_reader(self, left_bytes: int) -> None:
        """Give a client up that has read nothing since."""
        if self.transport.get_write_buffer_size() < left_bytes:
            self._await_reader()
        else:
            self.transport.abort()

    def _forget_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _await_head(self) -> None:
        """Start the clock if a head is awaited, and it isn't running yet."""
        if self.conn.their_state is not h11.IDLE:
            self._forget_deadline()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_s, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        if self.conn.their_state is not h11.IDLE:
            return
        if self.conn.trailing_data[0]:
            self._refuse(IdleTimeout(f"The request's head took longer than {self.head_s:g} s."))
        else:
            self.transport.abort()

    def _refuse(self, error: AuricleError) -> None:
        """Answer what will not be read any further, and wait for the client to see it.

        Closing a socket that holds unread bytes would destroy the answer (see :mod:`.lingering`).
        """
        self._is_given_up = True
        request_id = new_request_id()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            request_id = request_id_of(cycle.scope)  # type: ignore[arg-type]  # a TypedDict
            cycle.disconnected = True  # the application's own answer comes too late
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        self.transport.write(raw_error_response(error, request_id))
        end_writing(self._socket)
        self.loop.call_later(LINGER_S, self._socket.close)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _AnsweringTransport:
    """A transport that its connection closes in its own way.

    uvicorn closes it as soon as an answer is out, even while the request's body still comes.
    """

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self._transport = transport
        self.close = close

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)
