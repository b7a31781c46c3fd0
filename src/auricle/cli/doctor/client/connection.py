"""Connections over which programs stream audio: WebSockets and TCP."""

from collections.abc import Sequence
from typing import Protocol

import anyio
from anyio.abc import ByteStream
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from auricle.client.connection import open_websocket

CONNECT_S = 10.0
PING_INTERVAL_S = 20.0  # as in clients that use the library with its defaults
MAX_MESSAGE_BYTES = 2**22


class Connection(Protocol):
    """An open connection."""

    async def send(self, message: str | bytes) -> None:
        """Send a message.

        Raises:
            ConnectionError: The server has closed the connection.
        """

    async def receive(self) -> str | bytes | None:
        """Return the next message; ``None`` if the server has closed the connection."""

    @property
    def closing_reason(self) -> str:
        """Why the server closed the connection, if it gave a reason."""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the handshake's response."""

    async def aclose(self) -> None:
        """Close the connection."""


class WebSocketConnection:
    """A WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    @classmethod
    async def open(
        cls, url: str, headers: dict[str, str], subprotocols: Sequence[str]
    ) -> "WebSocketConnection":
        """Return an open WebSocket.

        Raises:
            OSError: The server does not answer.
            InvalidHandshake: It does not accept the connection.
        """
        return cls(
            await open_websocket(
                url,
                CONNECT_S,
                headers=headers,
                subprotocols=subprotocols,
                ping_interval_s=PING_INTERVAL_S,
                max_message_bytes=MAX_MESSAGE_BYTES,
            )
        )

    async def send(self, message: str | bytes) -> None:
        """Send a message.

        Raises:
            ConnectionError: The server has closed the connection.
        """
        try:
            await self._socket.send(message)
        except ConnectionClosed as error:
            raise ConnectionError from error

    async def receive(self) -> str | bytes | None:
        """Return the next message; ``None`` if the server has closed the connection."""
        try:
            return await self._socket.recv()
        except ConnectionClosed:
            return None

    @property
    def closing_reason(self) -> str:
        """Why the server closed the connection, if it gave a reason."""
        reason, code = self._socket.close_reason, self._socket.close_code
        return f"{reason} ({code})" if reason else f"code {code}" if code else ""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the handshake's response, in lower case."""
        response = self._socket.response
        found = () if response is None else response.headers.raw_items()
        return {name.lower(): value for name, value in found}

    async def aclose(self) -> None:
        """Close the connection."""
        await self._socket.close()


class TcpConnection:
    """A TCP connection."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    @classmethod
    async def open(cls, host: str, port: int) -> "TcpConnection":
        """Return an open connection.

        Raises:
            OSError: The server does not answer.
        """
        with anyio.fail_after(CONNECT_S):
            return cls(await anyio.connect_tcp(host, port))

    async def send(self, message: str | bytes) -> None:
        """Send data.

        Raises:
            ConnectionError: The server has closed the connection.
        """
        try:
            await self._stream.send(message.encode() if isinstance(message, str) else message)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise ConnectionError from error

    async def receive(self) -> str | bytes | None:
        """Return received data; ``None`` if the server has closed the connection."""
        try:
            return await self._stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return None

    @property
    def closing_reason(self) -> str:
        """Nothing: TCP has no reasons."""
        return ""

    @property
    def headers(self) -> dict[str, str]:
        """Nothing: TCP has no handshake."""
        return {}

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()
