"""Plays many streams at real-time pace from one lean process, and keeps what comes back.

Messages are encoded and framed beforehand, and one timer a stream writes them straight to its
socket; what arrives is kept with its time and read after the run. So the generator, which shares
the machine with the server, costs it as little as can be. How late it was itself is measured too.
"""

import asyncio
import gc
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from auricle.types import SAMPLE_RATE_HZ, Pcm16
from bench.live_process import Watch

START_SPREAD_S = 2.0
PATIENCE_S = 10.0
"""What isn't there so long after the last audio, never comes."""
OPEN_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Caption:
    """What a server said about a stretch of a stream."""

    at_s: float
    """When it arrived, on the event loop's clock."""
    is_final: bool
    text: str
    start_s: float
    end_s: float


@dataclass(slots=True)
class Played:
    """One stream of one run."""

    step_samples: int
    sent_at_s: "array[float]" = field(default_factory=lambda: array("d"))
    late_s: "array[float]" = field(default_factory=lambda: array("d"))
    received: list[tuple[float, str]] = field(default_factory=list)
    is_refused: bool = False

    def sent(self, moment_s: float) -> float:
        """Return when the sample at this place of the stream was sent."""
        step = int(moment_s * SAMPLE_RATE_HZ) // self.step_samples
        return self.sent_at_s[min(step, len(self.sent_at_s) - 1)]


class Tongue(Protocol):
    """A server's protocol as a client speaks it."""

    step_samples: int

    def messages(self, pcm: Pcm16) -> list[bytes]:
        """Return one binary message for each step."""
        ...

    async def open(self, url: str) -> ClientConnection | None:
        """Return a connection that takes audio; ``None`` if the server refuses."""
        ...

    def goodbye(self) -> str | None:
        """Return the text message that ends a stream, if its last results come after it."""
        ...

    def is_last(self, message: str) -> bool:
        """Whether nothing more comes after this message."""
        ...

    def captions(self, received: Sequence[tuple[float, str]]) -> list[Caption]:
        """Return what a stream's messages said, in their order."""
        ...


class _Player:
    """Writes one stream's frames when they are due."""

    def __init__(self, connection: ClientConnection, frames: list[bytes], played: Played) -> None:
        self._connection = connection
        self._frames = frames
        self._played = played
        self._loop = asyncio.get_running_loop()
        self._next = 0
        self._began_at = 0.0
        self.is_done = asyncio.Event()

    def start(self, at_s: float) -> None:
        """Play from this time on."""
        self._began_at = at_s
        self._loop.call_at(self._due_at(), self._play)

    def _due_at(self) -> float:
        """A step is sent when its last sample has been spoken."""
        return self._began_at + (self._next + 1) * self._played.step_samples / SAMPLE_RATE_HZ

    def _play(self) -> None:
        now = self._loop.time()
        while self._next < len(self._frames) and (due_at := self._due_at()) <= now:
            self._connection.transport.write(self._frames[self._next])
            self._played.sent_at_s.append(now)
            self._played.late_s.append(now - due_at)
            self._next += 1
        if self._next == len(self._frames) or self._connection.transport.is_closing():
            self.is_done.set()
        else:
            self._loop.call_at(self._due_at(), self._play)


@dataclass(frozen=True, slots=True)
class Run:
    """What happened to all streams, and what it took."""

    played: list[Played]
    cpu_s: float
    audio_s: float
    memory_bytes: int
    generator_cpu_s: float
    wall_s: float


def framed(messages: Sequence[bytes]) -> list[bytes]:
    return [Frame(Opcode.BINARY, message).serialize(mask=True) for message in messages]


async def play(
    tongue: Tongue, url: str, watch: Watch, frames: Sequence[list[bytes]], seconds: Sequence[float]
) -> Run:
    """Play all streams together.

    Args:
        tongue: The server's protocol.
        url: Where it is.
        watch: Its processes.
        frames: Each stream's frames.
        seconds: How long each stream is.
    """
    played = [Played(tongue.step_samples) for _ in frames]
    connections: list[ClientConnection | None] = []
    for one in played:
        async with asyncio.timeout(OPEN_LIMIT_S):
            connections.append(await tongue.open(url))
        one.is_refused = connections[-1] is None
    readers = [
        asyncio.create_task(_read(tongue, connection, one))
        for connection, one in zip(connections, played, strict=True)
        if connection is not None
    ]
    players = [
        _Player(connection, parts, one)
        for connection, parts, one in zip(connections, frames, played, strict=True)
        if connection is not None
    ]
    gc.collect()
    gc.freeze()
    gc.disable()
    loop = asyncio.get_running_loop()
    began_at, own_s, cpu_s = loop.time(), time.process_time(), watch.cpu_s()
    watching = asyncio.create_task(watch.run())
    for i, player in enumerate(players):
        player.start(began_at + START_SPREAD_S * i / len(players))
    farewells = [
        asyncio.create_task(_say_goodbye(tongue, player, connection))
        for player, connection in zip(players, filter(None, connections), strict=True)
    ]
    for player in players:
        await player.is_done.wait()
    figures = watch.cpu_s() - cpu_s, time.process_time() - own_s, loop.time() - began_at
    await asyncio.gather(*farewells)
    if readers:
        await asyncio.wait(readers, timeout=PATIENCE_S)
    watching.cancel()
    for reader in readers:
        reader.cancel()
    gc.enable()
    gc.unfreeze()
    for open_connection in filter(None, connections):
        open_connection.transport.abort()
    audio_s = sum(s for s, one in zip(seconds, played, strict=True) if not one.is_refused)
    return Run(played, figures[0], audio_s, watch.memory_bytes, figures[1], figures[2])


async def _read(tongue: Tongue, connection: ClientConnection, played: Played) -> None:
    loop = asyncio.get_running_loop()
    try:
        async for message in connection:
            played.received.append((loop.time(), str(message)))
            if tongue.is_last(str(message)):
                return
    except ConnectionClosed:
        return


async def _say_goodbye(tongue: Tongue, player: _Player, connection: ClientConnection) -> None:
    await player.is_done.wait()
    if (goodbye := tongue.goodbye()) is not None:
        await connection.send(goodbye)
