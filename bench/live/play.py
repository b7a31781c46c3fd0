"""Plays many streams in real time from one process, and keeps the messages that arrive.

Messages are encoded and framed in advance, and one timer for each stream writes them to its socket;
messages that arrive are kept with their time and parsed after the run. So the generator, which
shares the machine with the server, uses little CPU time. Its own delay is measured as well.
"""

import asyncio
import gc
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import psutil
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.cpu import tree_cpu_s, tree_memory_bytes

START_SPREAD_S = 2.0
PATIENCE_S = 10.0
MEMORY_INTERVAL_S = 1.0
OPEN_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Caption:
    """A text that a server sent for a part of a stream."""

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
        """Return when the sample at this position of the stream was sent."""
        step = int(moment_s * SAMPLE_RATE_HZ) // self.step_samples
        return self.sent_at_s[min(step, len(self.sent_at_s) - 1)]


@dataclass(frozen=True, slots=True)
class Running:
    """A running server: its URL and process, and a function that returns its own figures."""

    url: str
    process: psutil.Process
    own_figures: Callable[[], dict[str, Any]]


class LiveServer(Protocol):
    """A server under test, and its protocol as a client uses it."""

    name: str
    step_samples: int

    def running(self, streams: int) -> AbstractContextManager[Running]:
        """Start a new server that admits this number of streams; stop it in the end."""
        ...

    def messages(self, pcm: Pcm16) -> list[bytes]:
        """Return one binary message for each step."""
        ...

    async def open(self, url: str) -> ClientConnection | None:
        """Return a connection that is ready for audio; ``None`` if the server refuses."""
        ...

    def end_message(self) -> str | bytes | None:
        """Return the message that ends a stream, if its last results come after it."""
        ...

    def is_last(self, message: str) -> bool:
        """Whether nothing comes after this message."""
        ...

    def captions(self, received: Sequence[tuple[float, str]]) -> list[Caption]:
        """Return the captions in a stream's messages, in their order."""
        ...

    def packets(self, received: Sequence[tuple[float, str]]) -> dict[str, int] | None:
        """Return the server's count of a stream's packets, if it counts them."""
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
        """Start to play at this time."""
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
    """The result of a run: all streams, CPU time and memory."""

    played: list[Played]
    cpu_s: float
    audio_s: float
    memory_bytes: int
    generator_cpu_s: float
    wall_s: float


def framed(messages: Sequence[bytes]) -> list[bytes]:
    return [Frame(Opcode.BINARY, message).serialize(mask=True) for message in messages]


async def play(
    server: LiveServer,
    running: Running,
    frames: Sequence[list[bytes]],
    seconds: Sequence[float],
    patience_s: float = PATIENCE_S,
) -> Run:
    """Play all streams at once.

    Args:
        server: The server's protocol.
        running: The server.
        frames: Each stream's frames.
        seconds: Length of each stream.
        patience_s: Messages that come later than this after the last audio are not counted.
    """
    played = [Played(server.step_samples) for _ in frames]
    connections: list[ClientConnection | None] = []
    for one in played:
        async with asyncio.timeout(OPEN_LIMIT_S):
            connections.append(await server.open(running.url))
        one.is_refused = connections[-1] is None
    opened = [
        (connection, one, _Player(connection, parts, one))
        for connection, parts, one in zip(connections, frames, played, strict=True)
        if connection is not None
    ]
    readers = [asyncio.create_task(_read(server, socket, one)) for socket, one, _ in opened]
    gc.collect()
    gc.freeze()
    gc.disable()
    loop = asyncio.get_running_loop()
    began_at, own_s, cpu_s = loop.time(), time.process_time(), tree_cpu_s(running.process)
    memory: list[int] = []
    watching = asyncio.create_task(_watch_memory(running.process, memory))
    for i, (_, _, player) in enumerate(opened):
        player.start(began_at + START_SPREAD_S * i / len(opened))
    endings = [asyncio.create_task(_end(server, player, socket)) for socket, _, player in opened]
    for _, _, player in opened:
        await player.is_done.wait()
    cpu_s, own_s = tree_cpu_s(running.process) - cpu_s, time.process_time() - own_s
    wall_s = loop.time() - began_at
    await asyncio.gather(*endings)
    if readers:
        await asyncio.wait(readers, timeout=patience_s)
    watching.cancel()
    for reader in readers:
        reader.cancel()
    gc.enable()
    gc.unfreeze()
    for socket, _, _ in opened:
        socket.transport.abort()
    audio_s = sum(s for s, one in zip(seconds, played, strict=True) if not one.is_refused)
    return Run(played, cpu_s, audio_s, max(memory, default=0), own_s, wall_s)


async def _watch_memory(process: psutil.Process, memory: list[int]) -> None:
    while True:
        memory.append(sum(tree_memory_bytes(process).values()))
        await asyncio.sleep(MEMORY_INTERVAL_S)


async def _read(server: LiveServer, connection: ClientConnection, played: Played) -> None:
    loop = asyncio.get_running_loop()
    try:
        async for message in connection:
            played.received.append((loop.time(), str(message)))
            if server.is_last(str(message)):
                return
    except ConnectionClosed:
        return


async def _end(server: LiveServer, player: _Player, connection: ClientConnection) -> None:
    await player.is_done.wait()
    if (message := server.end_message()) is not None:
        await connection.send(message)
