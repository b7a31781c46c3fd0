"""Plays a level: many live streams in real time, from one process next to the server.

:class:`.stream.StreamPlayer` is the load generator.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

import psutil

from auricle.apis.native.wire.stream import decode_event
from auricle.cli.bench.score import (
    PATIENCE_S,
    LevelResult,
    PlayedStream,
    ReceivedFinal,
    level_result,
)
from auricle.cli.bench.speech import StreamSpeech, stream_speech
from auricle.cli.bench.stream import Played, StreamPlayer, frame_of, framed
from auricle.cli.support.speech_clip import LANGUAGE, PACKET_S, SpeechClip
from auricle.client.connection import ConnectionFailed, open_connection, stream_url
from auricle.values.events import Final, Partial
from auricle.values.types import SAMPLE_RATE_HZ

OPEN_LIMIT_S = 30.0
PACKET_SAMPLES = round(PACKET_S * SAMPLE_RATE_HZ)
STOP = frame_of('{"type":"stop"}')


@dataclass(frozen=True, slots=True)
class Level:
    """What is played: streams with or without partials, for some seconds.

    The server's default model recognises them if ``model`` is empty.
    """

    streams: int
    has_partials: bool
    seconds: float
    model: str = ""


async def play_level(
    url: str, server: psutil.Process, clip: SpeechClip, level: Level
) -> LevelResult:
    """Play a level and return its figures.

    Args:
        url: The server's base URL.
        server: Its process; CPU time includes that of its descendants.
        clip: The speech.
        level: What is played.

    Raises:
        AuricleError: The server rejected a stream for another reason than that it is full.
    """
    speeches = [
        stream_speech(clip, i, level.streams, level.seconds, PATIENCE_S)
        for i in range(level.streams)
    ]
    address = f"{stream_url(url)}?{_query(level)}"
    streams = [_Stream(speech) for speech in speeches]
    try:
        for stream in streams:
            await stream.open(address)
        usage = _Usage(server)
        began_at = asyncio.get_running_loop().time()
        await asyncio.gather(*(stream.play(began_at) for stream in streams))
        cores, other_cores = usage.cores()
    finally:
        for stream in streams:
            stream.close()
    return level_result(
        [stream.played() for stream in streams],
        has_partials=level.has_partials,
        seconds=level.seconds + PATIENCE_S,
        cores=cores,
        other_cores=other_cores,
    )


def _query(level: Level) -> str:
    return urlencode(
        {
            "format": "opus",
            "seq": "1",
            "frame_ms": round(1000 * PACKET_S),
            "language": LANGUAGE,
            "partials": str(level.has_partials).lower(),
            "model": level.model,
        }
    )


class _Stream:
    """One stream of a level."""

    def __init__(self, speech: StreamSpeech) -> None:
        self._speech = speech
        self._frames = framed(speech.messages)
        self._played = Played(PACKET_SAMPLES)
        self._player: StreamPlayer | None = None

    async def open(self, address: str) -> None:
        """Open the connection; a server that is full leaves the stream unplayed."""
        try:
            connection = await open_connection(address, None, OPEN_LIMIT_S)
        except ConnectionFailed:
            self._played.is_refused = True
            return
        self._player = StreamPlayer(
            connection.transport, connection, self._frames, self._played, ending=STOP
        )
        await asyncio.wait_for(connection.recv(), OPEN_LIMIT_S)  # ``ready``

    async def play(self, at: float) -> None:
        """Play the stream to its end, from ``at`` on the loop's clock."""
        if self._player is not None:
            await self._player.play(at + self._speech.delay_s, 0.0)

    def close(self) -> None:
        """Drop the connection."""
        if self._player is not None:
            self._player.close()

    def played(self) -> PlayedStream:
        """Return what was sent and received."""
        played = PlayedStream(
            self._speech.ends_s, [*self._played.late_s], is_refused=self._played.is_refused
        )
        for at_s, message in self._played.received:
            match decode_event(message):
                case Partial():
                    played.partials += 1
                case Final(text=text, start_sample=start, end_sample=end) if text:
                    span_s = start / SAMPLE_RATE_HZ, end / SAMPLE_RATE_HZ
                    played.finals.append(ReceivedFinal(at_s - self._played.began_at, *span_s))
        return played


class _Usage:
    """CPU time of a server and of other programs, from the start of this object."""

    def __init__(self, server: psutil.Process) -> None:
        self._server = server
        self._began_at = time.monotonic()
        self._start_s = self._read()

    def cores(self) -> tuple[float, float]:
        """Return the cores that the server and that other programs used."""
        lasted_s = time.monotonic() - self._began_at
        server_s, other_s = (
            max(0.0, now_s - start_s) / lasted_s
            for now_s, start_s in zip(self._read(), self._start_s, strict=True)
        )
        return server_s, other_s

    def _read(self) -> tuple[float, float]:
        times = psutil.cpu_times()
        idle_s = times.idle + getattr(times, "iowait", 0.0)
        busy_s = sum(times) - idle_s - getattr(times, "guest", 0.0)
        server_s = 0.0
        for process in (self._server, *self._server.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                used = process.cpu_times()
                server_s += used.user + used.system
        return server_s, busy_s - server_s - time.process_time()
