"""Makes sure that an answer reaches a client that is still sending its body.

Closing a socket that holds unread bytes makes the kernel send RST, and RST destroys what the client
has not read yet: the very answer. So a response that comes before the body's end is sent whole,
with ``Connection: close``, and the body is then read and thrown away for a while, until the client
stops or closes. A client that waits for ``100 Continue`` has sent nothing, and is not waited for.
"""

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_BYTES = 128 * 2**20
LINGER_S = 5.0
LINGER_PAUSE_S = 1.0
"""A client that is silent for so long has read its answer, or never will."""


class LingeringClose:
    """ASGI middleware; see the module."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, and linger if it didn't read the whole body."""
        if scope["type"] != "http" or not has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(Headers(scope=scope), receive, send)
        await self._app(scope, exchange.receive, exchange.send)


def has_body(headers: Headers) -> bool:
    """Return whether a request comes with a body (RFC 9112 §6.3)."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


class _Exchange:
    """One request whose body may not have been read when it is answered."""

    def __init__(self, headers: Headers, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._waits_for_100 = headers.get("expect", "").lower() == "100-continue"
        self._is_whole = False
        self._is_cut_short = False

    async def receive(self) -> Message:
        self._waits_for_100 = False  # uvicorn sends it with the first call
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._is_whole = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._is_whole:
            self._is_cut_short = True
            headers = [*message.get("headers", []), (b"connection", b"close")]
            message = {**message, "headers": headers}
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if self._is_cut_short and is_last:
            await self._send({**message, "more_body": True})
            if not self._waits_for_100:
                await self._drain()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _drain(self) -> None:
        left_bytes = LINGER_BYTES
        with anyio.move_on_after(LINGER_S):
            while not self._is_whole and left_bytes > 0:
                with anyio.move_on_after(LINGER_PAUSE_S) as pause:
                    left_bytes -= len((await self.receive()).get("body", b""))
                if pause.cancelled_caught:
                    return
