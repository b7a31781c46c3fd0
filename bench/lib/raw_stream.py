"""Live sessions on raw sockets: frames are made in advance, so hundreds of sessions cost little."""

import asyncio
import base64
import os
import struct
import time
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urlsplit

import numpy as np

from auricle.protocol.framing import pack
from auricle.values.types import OpusPacket
from bench.lib.audio import opus_packets
from bench.lib.posting import read_response

PACKET_S, PACKET_SAMPLES = 0.02, 320
NOISE_PACKETS = 3000
"""A minute of noise, repeated."""
GROUPS = 10
"""Streams send in turn within the 20 ms of a packet, as independent clients would."""
NOISE = 3.0
"""Standard deviation of samples: the noise of a good microphone in a silent room."""
OPEN_LIMIT_S = 10.0
READ_BYTES = 64 * 1024
SWITCHED = 101

BINARY, TEXT = 0x82, 0x81  # the last frame of a message, RFC 6455 §5.2
_OPCODE, _CLOSE, _SIZE = 0x0F, 0x08, 0x7F
_MASKED, _LONG, _LONGEST = 0x80, 126, 127
_NO_MASK = bytes(4)  # a mask of zeros changes nothing


def frame(payload: bytes, kind: int = BINARY) -> bytes:
    """Return a client's WebSocket message of up to 65,535 bytes."""
    size = len(payload)
    if size < _LONG:
        return struct.pack(">BB", kind, _MASKED | size) + _NO_MASK + payload
    return struct.pack(">BBH", kind, _MASKED | _LONG, size) + _NO_MASK + payload


def handshake(host: str, query: str = "language=en", key: str | None = None) -> bytes:
    """Return the request that opens a session of framed Opus packets with numbers."""
    lines = [
        f"GET /v1/stream?format=opus&seq=1&{query} HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
    ]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    return "\r\n".join((*lines, "", "")).encode()


async def messages(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Iterate over the server's messages until it closes; it sends whole frames only.

    Raises:
        EOFError: The connection was lost.
    """
    while True:
        head, size = await reader.readexactly(2)
        if size == _LONG:
            (size,) = struct.unpack(">H", await reader.readexactly(2))
        elif size == _LONGEST:
            (size,) = struct.unpack(">Q", await reader.readexactly(8))
        payload = await reader.readexactly(size)
        if head & _OPCODE == _CLOSE:
            return
        yield payload


def noise_packets() -> list[OpusPacket]:
    """Return a minute of faint noise as Opus."""
    chance = np.random.default_rng(1)
    return opus_packets(chance.normal(0, NOISE, NOISE_PACKETS * PACKET_SAMPLES).astype(np.int16))


class RawStreams:
    """Sessions that send packets in real time; messages of the server are counted and dropped."""

    def __init__(self, url: str, number: int) -> None:
        parts = urlsplit(url)
        self._host, self._port = str(parts.hostname), parts.port or 80
        self._number = number
        self._writers: list[asyncio.StreamWriter] = []
        self._readers: list[asyncio.Task[None]] = []
        self.refused = self.finals = self.lost = 0
        self.latest_s = 0.0
        """Maximum delay of a frame."""

    async def open(self) -> None:
        """Open all sessions; count those that are refused."""
        for _ in range(self._number):
            reader, writer = await asyncio.open_connection(self._host, self._port)
            writer.write(handshake(self._host))
            response = await asyncio.wait_for(read_response(reader), OPEN_LIMIT_S)
            if response.status == SWITCHED:
                self._writers.append(writer)
                self._readers.append(asyncio.create_task(self._read(reader)))
            else:
                self.refused += 1
                writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(READ_BYTES):
            self.finals += data.count(b'"type":"final"')
        self.lost += 1

    async def send(
        self, packets: Sequence[OpusPacket], seconds: float, first_tick: int = 0, step: int = 0
    ) -> int:
        """Send packets, repeated, in real time; return the tick that follows.

        Args:
            packets: The packets to send.
            seconds: How long.
            first_tick: The number of the first packet.
            step: Offset in packets between one stream and the next; 0: all send the same.
        """
        began_at, ticks = time.monotonic(), int(seconds / PACKET_S)
        for tick in range(ticks):
            seq = first_tick + tick
            common = frame(pack(packets[seq % len(packets)], seq))
            for group in range(GROUPS):
                late_s = time.monotonic() - began_at - (tick + group / GROUPS) * PACKET_S
                self.latest_s = max(self.latest_s, late_s)
                if late_s < 0:
                    await asyncio.sleep(-late_s)
                for number in range(group, len(self._writers), GROUPS):
                    packet = packets[(seq + number * step) % len(packets)]
                    data = frame(pack(packet, seq)) if step else common
                    self._writers[number].write(data)
            await asyncio.sleep(0)
        return first_tick + ticks

    def close(self) -> None:
        """Abort all connections without closing the sessions."""
        for task in self._readers:
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()
