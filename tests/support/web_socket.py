"""A WebSocket without a network: what comes in is what the test puts there."""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.types import Message
from starlette.websockets import WebSocket

from auricle.server.net.peer import PEER_EXTENSION


@dataclass
class FakePeer:
    """The connection behind it; nothing came since ``received_at``."""

    received_at: float = 0.0
    violation_code: int | None = None
    has_more: bool = False
    given_up: tuple[int, str] | None = None
    read_interval_s: float = 0.0

    def take_binary(self) -> list[bytes]:
        return []

    def give_up(self, code: int, reason: str) -> None:
        self.given_up = code, reason


@dataclass
class FakeWebSocket:
    """Both ends: the test's own, and ``socket`` for the code under test."""

    peer: FakePeer = field(default_factory=FakePeer)
    sent: list[dict[str, Any]] = field(default_factory=list)
    closed: tuple[int, str] | None = None
    is_gone: bool = False
    """Sending fails as it does when the client has left."""
    _inbox: deque[Message] = field(default_factory=deque)
    _arrival: anyio.Event = field(default_factory=anyio.Event)
    _readable: anyio.Event = field(default_factory=anyio.Event)

    def __post_init__(self) -> None:
        self._readable.set()
        scope = {
            "type": "websocket",
            "path": "/v1/stream",
            "headers": [],
            "query_string": b"",
            "extensions": {PEER_EXTENSION: {"peer": self.peer}},
        }
        self.socket = WebSocket(scope, self._receive, self._send)
        self.put({"type": "websocket.connect"})

    async def accept(self) -> WebSocket:
        await self.socket.accept()
        return self.socket

    def put(self, message: Message) -> None:
        self._inbox.append(message)
        self._arrival.set()

    def send(self, data: bytes) -> None:
        """Let a binary message come in."""
        self.put({"type": "websocket.receive", "bytes": data})

    def tell(self, kind: str, **fields: object) -> None:
        """Let a text message come in."""
        self.put({"type": "websocket.receive", "text": json.dumps({"type": kind, **fields})})

    def leave(self) -> None:
        self.put({"type": "websocket.disconnect", "code": 1006})

    def stop_reading(self) -> None:
        """Block senders."""
        self._readable = anyio.Event()

    def read_on(self) -> None:
        self._readable.set()

    @property
    def unread(self) -> int:
        """Number of messages that were not received."""
        return len(self._inbox)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.sent if event["type"] == kind]

    async def _receive(self) -> Message:
        while not self._inbox:
            self._arrival = anyio.Event()
            await self._arrival.wait()
        return self._inbox.popleft()

    async def _send(self, message: Message) -> None:
        await self._readable.wait()
        if self.is_gone:
            raise OSError
        match message["type"]:
            case "websocket.send":
                self.sent.append(json.loads(message["text"]))
            case "websocket.close":
                self.closed = message["code"], message["reason"]
