"""Lingering close: deliver a response to a client that is still sending its body.

Closing a socket with unread bytes makes the kernel send RST, which discards data that the client
has not read yet, including the response. So a response sent before the end of the body carries
``Connection: close``, and the server reads and discards the rest until the client stops or closes,
within limits.

These bytes are not parsed. An overloaded server receives many of them, as clients that don't wait
for ``100 Continue`` send megabytes that are rejected. Parsed as HTTP events they took more time on
the event loop than all accepted requests.
"""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_BYTES = 128 * 2**20
LINGER_S = 5.0
LINGER_PAUSE_S = 1.0
"""Close after this silence, in seconds: the client has read the response or never will."""
_READ_BYTES = 256 * 1024


class LingeringClose:
    """ASGI middleware that closes the connection after a response before the body's end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; send ``Connection: close`` if it answers before the body's end."""
        if scope["type"] != "http" or not has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        is_whole = False

        async def receive_part() -> Message:
            nonlocal is_whole
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                is_whole = True
            return message

        async def send_part(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_whole:
                headers = [*message.get("headers", []), (b"connection", b"close")]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive_part, send_part)


def has_body(headers: Headers) -> bool:
    """Return whether a request has a body (RFC 9112 §6.3)."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def end_writing(transport: asyncio.Transport) -> None:
    """Send EOF to the client if the transport can (TLS can't)."""
    if transport.can_write_eof():
        with contextlib.suppress(OSError):  # already disconnected
            transport.write_eof()


class DiscardedBody:
    """Discards what a client sends after its response, then closes the connection.

    Args:
        transport: The connection's transport; nothing more is written to it.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._left_bytes = LINGER_BYTES
        self._received_at = self._loop.time()
        self._ends_at = self._received_at + LINGER_S
        if hasattr(transport, "max_size"):  # asyncio's own, without TLS
            transport.max_size = _READ_BYTES
        end_writing(transport)
        self._timer = self._loop.call_later(LINGER_PAUSE_S, self._check)

    def receive(self, data: bytes) -> None:
        """Discard received bytes; close the connection above ``LINGER_BYTES``."""
        self._left_bytes -= len(data)
        self._received_at = self._loop.time()
        if self._left_bytes <= 0:
            self.close()

    def close(self) -> None:
        """Close the connection now."""
        self._timer.cancel()
        self._transport.close()

    def _check(self) -> None:
        closes_at = min(self._received_at + LINGER_PAUSE_S, self._ends_at)
        if closes_at <= self._loop.time():
            self.close()
        else:
            self._timer = self._loop.call_at(closes_at, self._check)
