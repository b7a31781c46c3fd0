"""uvicorn's HTTP connection, which doesn't wait for ever for a request, nor for its reader.

uvicorn closes a connection that is silent after an answer, but not one that never asks, nor one
that sends half of a request's head, nor one that doesn't read its answer: a few thousand of them
would use up all file descriptors.
"""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 30.0
"""How long a client may take for the head of its next request, the first one from the start."""
STALL_S = 60.0
"""How long a client may read nothing of an answer that waits for it."""


class HttpConnection(H11Protocol):
    """See the module; uvicorn makes one for each connection."""

    head_s, stall_s = HEAD_S, STALL_S
    _deadline: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take in bytes."""
        super().data_received(data)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._forget_deadline()
        self._forget_stall()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """Go on."""
        self._forget_stall()
        super().resume_writing()

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
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
