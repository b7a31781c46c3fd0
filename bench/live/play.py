"""Plays many streams in real time with the load generator of ``auricle bench``."""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import psutil
from websockets.asyncio.client import ClientConnection

from auricle.cli.bench.stream import Played, StreamPlayer, frame_of
from auricle.values.types import Pcm16
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


@dataclass(frozen=True, slots=True)
class Run:
    """The result of a run: all streams, CPU time and memory."""

    played: list[Played]
    cpu_s: float
    audio_s: float
    memory_bytes: int
    generator_cpu_s: float
    wall_s: float


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
    ending = server.end_message()
    players = [
        StreamPlayer(
            connection.transport,
            connection,
            parts,
            one,
            ending=b"" if ending is None else frame_of(ending),
            is_last=server.is_last,
        )
        for connection, parts, one in zip(connections, frames, played, strict=True)
        if connection is not None
    ]
    gc.collect()
    gc.freeze()
    gc.disable()
    loop = asyncio.get_running_loop()
    began_at, own_s, cpu_s = loop.time(), time.process_time(), tree_cpu_s(running.process)
    memory: list[int] = []
    watching = asyncio.create_task(_watch_memory(running.process, memory))
    for i, player in enumerate(players):
        player.start(began_at + START_SPREAD_S * i / len(players))
    for player in players:
        await player.sent()
    cpu_s, own_s = tree_cpu_s(running.process) - cpu_s, time.process_time() - own_s
    wall_s = loop.time() - began_at
    await asyncio.gather(*(player.stop(patience_s) for player in players))
    watching.cancel()
    gc.enable()
    gc.unfreeze()
    for player in players:
        player.close()
    audio_s = sum(s for s, one in zip(seconds, played, strict=True) if not one.is_refused)
    return Run(played, cpu_s, audio_s, max(memory, default=0), own_s, wall_s)


async def _watch_memory(process: psutil.Process, memory: list[int]) -> None:
    while True:
        memory.append(sum(tree_memory_bytes(process).values()))
        await asyncio.sleep(MEMORY_INTERVAL_S)
