"""Makes sure that an answer reaches a client that is still sending its body.

Closing a socket that holds unread bytes makes the kernel send RST, and RST destroys what the client
has not read yet: the very answer. So a response that comes before the body's end is sent with
``Connection: close``, and what the client still sends is then read and thrown away for a while,
until the client stops or closes.

Nothing parses those bytes. A server with too much work gets many of them: clients that don't wait
for ``100 Continue`` send megabytes to be refused, and as HTTP events those took more of the event
loop than all requests that were accepted.
"""

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_BYTES = 128 * 2**20
LINGER_S = 5.0
LINGER_PAUSE_S = 1.0
"""A client that is silent for so long has read its answer, or never will."""
_READ_BYTES = 256 * 1024


class LingeringClose:
    """ASGI middleware: an answer before the body's end closes the connection; see the module."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, and say so if it doesn't read the whole body."""
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
    """Return whether a request comes with a body (RFC 9112 §6.3)."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def end_writing(transport: asyncio.Transport) -> None:
    """Tell the client that no more is sent, where that can be told (not with TLS)."""
    if transport.can_write_eof():
        with contextlib.suppress(OSError):  # it is gone
            transport.write_eof()


class DiscardedBody:
    """What a client still sends after its answer; closes the connection in the end.

    Args:
        transport: The connection's. Nothing more is sent.
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
        """Throw bytes away."""
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
