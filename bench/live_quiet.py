"""Many live streams in which nobody speaks, for as little work here as can be.

All streams send the same packets, so each packet becomes one WebSocket frame that is made once and
written to every socket. They take turns within the 20 ms of a packet, as strangers would.
"""

import asyncio
import base64
import itertools
import os
import struct
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import numpy as np

from auricle.audio.opus import find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.protocol.framing import pack
from auricle.types import OpusPacket

PACKET_S = 0.02
PACKETS = 3000
"""A minute of noise, again and again."""
GROUPS = 10
NOISE = 3.0
"""As a standard deviation of samples: the noise of a good microphone in a silent room."""
OPEN_LIMIT_S = 10.0

_BINARY = 0x82  # the last frame of a message, RFC 6455 §5.2
_MASKED, _LONG = 0x80, 126
_NO_MASK = bytes(4)  # a mask of zeros changes nothing


def noise_packets() -> list[OpusPacket]:
    """Return a minute of faint noise as Opus."""
    encoder = OpusPacketEncoder(find_libopus())
    chance = np.random.default_rng(1)
    return [
        encoder.encode(chance.normal(0, NOISE, encoder.frame_samples).astype(np.int16))
        for _ in range(PACKETS)
    ]


def frames(packets: Sequence[OpusPacket]) -> Iterator[bytes]:
    """Return a WebSocket frame for each packet, numbered on and on."""
    for seq, packet in enumerate(itertools.cycle(packets)):
        yield frame(packet, seq)


def frame(packet: OpusPacket, seq: int) -> bytes:
    """Return one packet with its number as a WebSocket frame."""
    payload = pack(packet, seq)
    size = len(payload)
    if size < _LONG:
        head = struct.pack(">BB", _BINARY, _MASKED | size)
    else:
        head = struct.pack(">BBH", _BINARY, _MASKED | _LONG, size)
    return head + _NO_MASK + payload


class QuietStream(asyncio.Protocol):
    """One connection; what the server says is counted and thrown away."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._head = b""
        self.opened: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.is_lost = False
        self.finals = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for a WebSocket."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            "GET /v1/stream?format=opus&seq=1&language=en HTTP/1.1",
            f"Host: {self._host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
        )
        transport.write("\r\n".join((*lines, "", "")).encode())

    def data_received(self, data: bytes) -> None:
        """Wait for the answer, then look for words that nobody said."""
        if self.opened.done():
            self.finals += data.count(b'"type":"final"')
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            self.opened.set_result(self._head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of it: nobody should hang up."""
        self.is_lost = True
        if not self.opened.done():
            self.opened.set_result(self._head)


class QuietStreams:
    """So many of them at once, open as long as the context."""

    def __init__(self, url: str, number: int) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), parts.port or 80
        self._number = number
        self._streams: list[QuietStream] = []
        self.refused = 0
        self.latest_s = 0.0
        """How late the latest frame was: some packets' time, and this is no real time."""

    @property
    def lost(self) -> int:
        """How many the server has hung up."""
        return sum(stream.is_lost for stream in self._streams)

    @property
    def finals(self) -> int:
        """How many utterances were heard where there were none."""
        return sum(stream.finals for stream in self._streams)

    async def open(self) -> None:
        """Connect them all; those that aren't let in are counted."""
        loop = asyncio.get_running_loop()
        for _ in range(self._number):
            _, stream = await loop.create_connection(
                lambda: QuietStream(self._host), self._host, self._port
            )
            answer = await asyncio.wait_for(stream.opened, OPEN_LIMIT_S)
            if answer.startswith(b"HTTP/1.1 101"):
                self._streams.append(stream)
            else:
                self.refused += 1
                stream.transport.close()

    async def send(self, seconds: float) -> None:
        """Send at real-time pace."""
        source, began_at = frames(noise_packets()), time.monotonic()
        groups = [self._streams[index::GROUPS] for index in range(GROUPS)]
        for tick in range(int(seconds / PACKET_S)):
            ready = next(source)
            for index, group in enumerate(groups):
                due_at = began_at + (tick + index / GROUPS) * PACKET_S
                late_s = time.monotonic() - due_at
                self.latest_s = max(self.latest_s, late_s)
                if late_s < 0:
                    await asyncio.sleep(-late_s)
                for stream in group:
                    stream.transport.write(ready)
            await asyncio.sleep(0)

    def close(self) -> None:
        """Vanish without a word."""
        for stream in self._streams:
            stream.transport.abort()
