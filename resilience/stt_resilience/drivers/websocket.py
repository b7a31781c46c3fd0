"""Sessions over a WebSocket: runs a codec."""

import asyncio
import json
import math
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from stt_resilience.drivers.base import Codec, Lost, Message, Refused, Session, Text
from stt_resilience.speech import Pcm16

OPEN_LIMIT_S = 20.0
SEND_LIMIT_S = 60.0
"""Longest wait for a send: a server may stop reading for a while."""
POLL_S = 0.5
RECEIVE_BUFFER_BYTES = 16_384
"""Of the socket: small, so that the server notices a client that does not read."""
REFUSALS = {1008, 1013}
"""Close codes before the first result with which servers refuse a session."""


class WebSocketSession:
    """A session of a codec on a connection."""

    def __init__(self, codec: Codec, connection: ClientConnection) -> None:
        self.codec = codec
        self._connection = connection
        self._last_text_s = 0.0
        self._finished_s = math.inf
        self._reads = asyncio.Event()
        self._reads.set()

    @property
    def resume_at(self) -> int:
        """Next sample that the server expects."""
        return self.codec.resume_at

    async def send(self, pcm: Pcm16, position: int) -> None:
        """Send samples."""
        await self._send(self.codec.audio(pcm, position))

    async def end_utterance(self) -> None:
        """Report a pause."""
        await self._send(self.codec.end_utterance())

    async def finish(self) -> None:
        """Report the end of the audio."""
        await self._send(self.codec.ending())
        self._finished_s = time.monotonic()

    async def texts(self) -> AsyncIterator[Text]:
        """Yield results until all have arrived."""
        lost: Lost | None = None
        while not self.codec.is_complete:
            await self._reads.wait()
            try:
                message = await self._receive()
            except ConnectionClosed as error:
                lost = Lost(_closed(error))
                break
            if message is not None:
                for text in self.codec.receive(message):
                    self._last_text_s = time.monotonic()
                    yield text
                with suppress(Lost):  # recv() reports it, after what has arrived
                    await self._send(self.codec.replies())
            quiet_s = time.monotonic() - max(self._last_text_s, self._finished_s)
            if 0 < self.codec.quiet_s <= quiet_s:
                self.codec.is_complete = True
        for text in self.codec.closed():
            yield text
        if lost is not None and not self.codec.is_complete:
            raise lost

    async def _receive(self) -> Message | None:
        """Return the next message; ``None`` after a time without one."""
        try:
            return await asyncio.wait_for(self._connection.recv(), POLL_S)
        except TimeoutError:
            return None

    def set_reading(self, is_on: bool) -> None:
        """Stop reading, or continue; a wait for a message that has begun ends first."""
        (self._reads.set if is_on else self._reads.clear)()

    def cut(self) -> None:
        """Reset the connection, as a network that fails."""
        self._connection.transport.abort()

    async def close(self) -> None:
        """Close the connection; a server that does not answer is not waited for."""
        with suppress(Exception):
            await asyncio.wait_for(self._connection.close(), 2.0)
        self._connection.transport.abort()

    async def ready(self) -> None:
        """Wait until the server has accepted the session."""
        while not self.codec.is_ready:
            try:
                self.codec.receive(await self._connection.recv())
            except ConnectionClosed as error:
                code = error.rcvd.code if error.rcvd else None
                raise (Refused if code in REFUSALS else Lost)(_closed(error)) from error

    async def _send(self, messages: Sequence[Message]) -> None:
        try:
            for message in messages:
                await asyncio.wait_for(self._connection.send(message), SEND_LIMIT_S)
        except (ConnectionClosed, TimeoutError) as error:
            raise Lost(str(error) or "the server stopped reading") from error


class WebSocketDriver:
    """Opens sessions of a codec.

    Args:
        codec: Called with the codec of a lost session, or ``None``; returns a new codec.
        can_resume: Whether the protocol can continue a lost session.
    """

    is_stream = True

    def __init__(self, codec: Callable[[Codec | None], Codec], *, can_resume: bool = False) -> None:
        self._codec = codec
        self.can_resume = can_resume

    async def open(self, lost: Session | None = None) -> WebSocketSession:
        """Open a session, or continue a lost one."""
        codec = self._codec(lost.codec if isinstance(lost, WebSocketSession) else None)
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                session = WebSocketSession(codec, await _connect(codec))
        except InvalidStatus as error:
            raise refusal(
                error.response.status_code, error.response.headers, error.response.body
            ) from error
        except (OSError, WebSocketException, TimeoutError) as error:
            raise Lost(f"no connection: {type(error).__name__} {error}".strip()) from error
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                await session._send(codec.opening())
                await session.ready()
        except TimeoutError as error:
            await session.close()
            raise Refused(f"no answer in {OPEN_LIMIT_S:.0f} s") from error
        except BaseException:
            await session.close()
            raise
        return session


async def _connect(codec: Codec) -> ClientConnection:
    url = urlsplit(codec.url())
    plain = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    plain.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(plain, (url.hostname, url.port or 80))
        return await connect(
            codec.url(),
            sock=plain,
            additional_headers=codec.headers(),
            compression=None,
            ping_interval=None,
            max_size=None,
            max_queue=4,
            open_timeout=None,
        )
    except BaseException:
        plain.close()
        raise


def refusal(status: int, headers: Any, body: bytes | bytearray | None) -> Refused:
    """Return the refusal of an HTTP response."""
    seconds = headers.get("Retry-After")
    text = (body or b"").decode(errors="replace")
    with suppress(ValueError):
        text = _message(json.loads(text)) or text
    is_number = seconds is not None and seconds.strip().isdigit()
    return Refused(f"HTTP {status} {text[:120]}".strip(), float(seconds) if is_number else None)


def _message(body: Any) -> str:
    """Return the message in the JSON of an error, in the shapes of several services."""
    if isinstance(body, dict):
        for name in ("error", "message", "err_msg", "detail"):
            if name in body:
                return _message(body[name])
    return body if isinstance(body, str) else ""


def _closed(error: ConnectionClosed) -> str:
    if error.rcvd is None:
        return "the connection broke"
    return f"closed with {error.rcvd.code} {error.rcvd.reason}".strip()
