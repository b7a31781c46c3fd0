"""A client of Wyoming that follows a test's commands, valid or not."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import anyio
from anyio.abc import SocketStream

from auricle.apis.wyoming.live import WyomingServer
from auricle.apis.wyoming.wire.framing import EventFramer, WyomingEvent
from auricle.config.sections.live import LiveSettings
from auricle.server.access.connection_limits import LimitedListener
from auricle.server.net.listen import open_sockets
from auricle.server.service import Service
from auricle.values.types import Pcm16
from tests.support.service import FakeService, listening, opened
from tests.support.stream import SPEECH

LIMIT_S = 120.0
MONO_16 = {"rate": 16_000, "width": 2, "channels": 1}
CHUNK_BYTES = 2048
EMPTY: Mapping[str, Any] = MappingProxyType({})


def event(type: str, data: dict[str, Any] | None = None, payload: bytes = b"") -> bytes:
    """Return an event as Wyoming's own client writes it."""
    body = json.dumps(data, ensure_ascii=False).encode() if data else b""
    lengths = {"data_length": len(body)} if body else {}
    lengths |= {"payload_length": len(payload)} if payload else {}
    return (
        json.dumps({"type": type, "version": "1.10.2", **lengths}).encode() + b"\n" + body + payload
    )


def spoken(pcm: Pcm16 = SPEECH, **transcribe: Any) -> bytes:
    """Return all that Home Assistant sends of a command."""
    return speaking(pcm, **transcribe) + event("audio-stop", {"timestamp": None})


def speaking(pcm: Pcm16 = SPEECH, **transcribe: Any) -> bytes:
    """Return what Home Assistant has sent of a command whose end it leaves to the server."""
    wire = event("transcribe", transcribe) + event("audio-start", MONO_16 | {"timestamp": None})
    audio = pcm.tobytes()
    for at in range(0, len(audio), CHUNK_BYTES):
        chunk = audio[at : at + CHUNK_BYTES]
        wire += event("audio-chunk", MONO_16 | {"timestamp": None}, chunk)
    return wire


def read(text: str | bytes) -> list[WyomingEvent]:
    """Return the events of a wire, which must end with the last."""
    framer = EventFramer()
    framer.receive_data(text.encode() if isinstance(text, str) else text)
    events = list(iter(framer.next_event, None))
    framer.receive_data(event("probe"))
    assert framer.next_event() == WyomingEvent("probe")
    return events


@dataclass
class WyomingCaller:
    """One connection and all that was received over it."""

    stream: SocketStream
    received: list[WyomingEvent] = field(default_factory=list)
    _framer: EventFramer = field(default_factory=EventFramer)

    async def send(self, wire: bytes) -> None:
        await self.stream.send(wire)

    async def next(self) -> WyomingEvent | None:
        """Return the next event; ``None`` when the server has closed."""
        with anyio.fail_after(LIMIT_S):
            while (found := self._framer.next_event()) is None:
                try:
                    self._framer.receive_data(await self.stream.receive())
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return None
        self.received.append(found)
        return found

    async def until(self, type: str) -> WyomingEvent:
        """Return the next event of a type; the server must not close before."""
        while (found := await self.next()) is not None:
            if found.type == type:
                return found
        raise AssertionError([event.type for event in self.received])

    async def until_closed(self) -> list[WyomingEvent]:
        """Read on to the end; return all that was received."""
        while await self.next() is not None:
            pass
        return self.received

    async def ask(self, pcm: Pcm16 = SPEECH, **transcribe: Any) -> str:
        """Send speech and return its transcript."""
        await self.send(spoken(pcm, **transcribe))
        text = (await self.until("transcript")).data["text"]
        await self.until("transcript-stop")
        assert isinstance(text, str)
        return text

    def of(self, type: str) -> list[dict[str, Any]]:
        return [event.data for event in self.received if event.type == type]


@asynccontextmanager
async def wyoming_port(state: Service, **options: Any) -> AsyncIterator[int]:
    """Serve Wyoming on a free loopback port; the options are those of the server."""
    sockets = open_sockets("127.0.0.1", 0, "AURICLE_WYOMING_PORT")
    limited = [LimitedListener.around(each, state.access.connection_limiter) for each in sockets]
    async with anyio.create_task_group() as group:
        group.start_soon(WyomingServer(state.streams, state.metrics, **options).serve, limited)
        yield limited[0].getsockname()[1]
        group.cancel_scope.cancel()


@dataclass
class WyomingService(FakeService):
    port: int = field(kw_only=True)

    @asynccontextmanager
    async def call(self) -> AsyncIterator[WyomingCaller]:
        async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
            yield WyomingCaller(stream)


@asynccontextmanager
async def wyoming(
    spool_dir: Path,
    live: LiveSettings | None = None,
    *,
    options: Mapping[str, Any] = EMPTY,
    **settings: Any,
) -> AsyncIterator[WyomingService]:
    """Serve on fakes, in this event loop; the options are those of the Wyoming server."""
    async with (
        opened(spool_dir, live, **settings) as service,
        wyoming_port(service.state, **options) as port,
        listening(service.app),
    ):
        yield WyomingService(service.app, service.transcriber, service.decoder, port=port)
