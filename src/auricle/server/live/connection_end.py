"""The end of a connection: its reason, what its client is sent, and how it is recorded."""

import contextlib
from collections.abc import Iterable
from typing import Protocol

import anyio
from starlette.types import Message, Scope
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from auricle.protocol.dialect import Dialect, End, OutboundItem, Reply
from auricle.server.http.errors import CLIENT_VISIBLE_ERRORS, error_body, retry_after_s
from auricle.server.http.request_log import request_log
from auricle.server.live.registry import LiveSessions
from auricle.server.net.peer import peer_of
from auricle.values.errors import AuricleError, RemoteProtocolError
from auricle.values.events import Failed

CLOSE_HANDSHAKE_S = 1.0
"""Time to send the remaining messages when a connection ends, in seconds."""

DONE = End("done", 1000)
CLIENT_LEFT = End("client_left", 1000)
_VIOLATIONS = {1007: "bad_text", 1009: "too_large"}


class Socket(Protocol):
    """The interface required of a WebSocket, or of another transport with ASGI messages."""

    @property
    def scope(self) -> Scope:
        """The connection's ASGI scope."""
        ...

    async def receive(self) -> Message:
        """Return the next message: ``text`` or ``bytes``, or ``websocket.disconnect``."""
        ...

    async def send_text(self, data: str) -> None:
        """Send a message.

        Raises:
            WebSocketDisconnect: The client has disconnected.
        """
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the connection."""
        ...


def end_of(error: BaseException, after_s: float | None = None) -> End:
    """Map an error to the end of a connection; the only place that does."""
    visible = error if isinstance(error, CLIENT_VISIBLE_ERRORS) else AuricleError()
    return End(visible.code, visible.close_code, failed_of(error, after_s))


def failed_of(error: BaseException, after_s: float | None = None) -> Failed:
    """Return the event that reports an error to a client."""
    body = error_body(error)
    return Failed(
        code=body["code"],
        message=body["message"],
        retryable=body["retryable"],
        retry_after_s=retry_after_s(error) if after_s is None else after_s,
    )


def disconnect_reason(websocket: Socket) -> End:
    """Return why a connection was lost: the client left or violated the WebSocket protocol."""
    peer = peer_of(websocket.scope)
    if peer is None or peer.violation_code is None:
        return CLIENT_LEFT
    code = peer.violation_code
    return End(_VIOLATIONS.get(code, RemoteProtocolError.code), code)


def note_end(websocket: Socket, live: LiveSessions, end: End) -> None:
    """Record the end of a connection in the metrics and the request log."""
    log = request_log(websocket.scope)
    log.details["end"] = end.how
    if end.failed is not None:
        log.code = end.how
    live.metrics.count_end(end.how)


async def close_gracefully(
    websocket: Socket, dialect: Dialect, end: End, remaining: Iterable[OutboundItem] = ()
) -> None:
    """Send the remaining messages and the reason, and close; abort if the client doesn't read."""
    texts = [text for item in remaining for text in texts_of(dialect, item)]
    closing_messages = dialect.closing_messages(end)
    gone = contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected)
    with anyio.move_on_after(CLOSE_HANDSHAKE_S) as closing, gone:
        for text in (*texts, *closing_messages.texts):
            await websocket.send_text(text)
        await websocket.close(closing_messages.close_code, closing_messages.reason)
    peer = peer_of(websocket.scope)
    if closing.cancelled_caught and peer is not None:
        peer.give_up(closing_messages.close_code, closing_messages.reason)


def texts_of(dialect: Dialect, item: OutboundItem) -> Iterable[str]:
    """Return the messages of an item in a dialect."""
    return item.texts if isinstance(item, Reply) else dialect.encode(item)
