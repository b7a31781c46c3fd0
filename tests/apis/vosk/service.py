"""A client of Vosk's port that follows a test's commands, valid or not."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import Any

import anyio
from starlette.types import ASGIApp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from auricle.apis.vosk.live import VoskApp
from auricle.config.sections.ledger import LedgerSettings
from auricle.config.sections.live import LiveSettings
from auricle.server.access.connection_limits import LimitedListener
from auricle.server.net.listen import open_sockets
from tests.support.service import Live, listening, opened

LIMIT_S = 120.0
EOF = '{"eof" : 1}'
CHUNK_BYTES = 3200
"""What Asterisk and FreeSWITCH send at a time."""


@dataclass
class VoskCaller:
    """One connection and all that was received over it."""

    connection: ClientConnection
    received: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, message: bytes | str) -> None:
        await self.connection.send(message)

    async def config(self, **fields: object) -> None:
        await self.send(json.dumps({"config": fields}))

    async def next(self) -> dict[str, Any]:
        with anyio.fail_after(LIMIT_S):
            answer: dict[str, Any] = json.loads(await self.connection.recv())
        self.received.append(answer)
        return answer

    async def ask(self, message: bytes | str) -> dict[str, Any]:
        """Send a message and return its answer."""
        await self.send(message)
        return await self.next()

    async def speak(self, audio: bytes) -> None:
        """Send audio in chunks, each after the answer to the last, as most clients do."""
        for at in range(0, len(audio), CHUNK_BYTES):
            await self.ask(audio[at : at + CHUNK_BYTES])

    async def until_closed(self) -> tuple[int, str]:
        """Read on to the end; return the close code and its reason."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as closed:
            return (1006, "") if closed.rcvd is None else (closed.rcvd.code, closed.rcvd.reason)

    @property
    def texts(self) -> list[str]:
        return [answer["text"] for answer in self.received if answer.get("text")]


@dataclass
class VoskService(Live):
    vosk_port: int = field(kw_only=True)

    @asynccontextmanager
    async def call(
        self, path: str = "", *, host: str = "127.0.0.1:2700", **headers: str
    ) -> AsyncIterator[VoskCaller]:
        """Connect to a path; ``host`` is how the client writes the address."""
        async with connect(
            f"ws://{host}/{path}",
            additional_headers=headers,
            proxy=None,
            host="127.0.0.1",
            port=self.vosk_port,
            open_timeout=LIMIT_S,
        ) as connection:
            yield VoskCaller(connection)


@asynccontextmanager
async def vosk(
    spool_dir: Path,
    live: LiveSettings | None = None,
    ledger: LedgerSettings | None = None,
    **settings: Any,
) -> AsyncIterator[VoskService]:
    """Serve the API and Vosk on free loopback ports, in this event loop."""
    async with opened(spool_dir, live, ledger, **settings) as service:
        sockets = open_sockets("127.0.0.1", 0, "AURICLE_VOSK_PORT")
        vosk_port = sockets[0].getsockname()[1]
        app = VoskApp(service.state.streams, is_open=False)
        limiter = service.state.access.connection_limiter
        apps: dict[socket, ASGIApp] = {
            LimitedListener.around(listener, limiter): app for listener in sockets
        }
        async with listening(service.app, port_apps=apps) as port:
            yield VoskService(
                service.app, service.transcriber, service.decoder, port=port, vosk_port=vosk_port
            )
