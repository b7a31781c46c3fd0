"""A client of ``/v1/stream`` that follows a test's commands, valid or not."""

import json
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from struct import pack
from typing import Any
from urllib.parse import urlencode

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from auricle.values.types import SAMPLE_RATE_HZ, Job, OpusPacket, Pcm16, Transcript
from tests.support.clips import CLIPS
from tests.support.opus import encode_packets
from tests.support.transcriber import heard

LIMIT_S = 120.0
SPEECH = CLIPS["fellow.wav"].pcm
PACKETS = encode_packets(SPEECH)
"""Six seconds of speech in packets of 20 ms."""


def framed(packets: Sequence[OpusPacket], first_seq: int | None = None) -> bytes:
    """Return packets as they travel with ``format=opus``."""
    return b"".join(
        pack("<H", len(packet))
        + packet
        + (b"" if first_seq is None else pack("<I", (first_seq + index) % 2**32))
        for index, packet in enumerate(packets)
    )


def echo(job: Job) -> Transcript:
    """Return a word for exactly these samples: missing, doubled and moved ones show."""
    return heard(f"{job.pcm.size}-{zlib.crc32(job.pcm.tobytes()):08x}", job)


def silence(seconds: float) -> bytes:
    return bytes(2 * int(seconds * SAMPLE_RATE_HZ))


def pcm(samples: Pcm16) -> bytes:
    return samples.tobytes()


class Caller:
    """One connection and all that was received over it."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.received: list[dict[str, Any]] = []

    async def send(self, message: bytes | str) -> None:
        await self.connection.send(message)

    async def tell(self, kind: str, **fields: object) -> None:
        """Send a text message."""
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """Return the next message of a type, and with these fields."""
        with anyio.fail_after(LIMIT_S):
            while True:
                event: dict[str, Any] = json.loads(await self.connection.recv())
                self.received.append(event)
                if event["type"] == kind and fields.items() <= event.items():
                    return event

    async def until_closed(self) -> tuple[int, str]:
        """Read on to the end; return the close code and its reason."""
        with anyio.fail_after(LIMIT_S):
            try:
                while True:
                    self.received.append(json.loads(await self.connection.recv()))
            except ConnectionClosed as closed:
                frame = closed.rcvd
                return (1006, "") if frame is None else (frame.code, frame.reason)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.received if event["type"] == kind]

    async def caption(self, text: str = "hello") -> None:
        """Say something in PCM16 and get its final: what works for everybody else."""
        await self.send(pcm(SPEECH[:SAMPLE_RATE_HZ]))
        await self.tell("finalize")
        assert (await self.until("final"))["text"] == text


def stream_url(port: int, path: str = "/v1/stream", **query: object) -> str:
    return f"ws://127.0.0.1:{port}{path}" + (f"?{urlencode(query, True)}" if query else "")


@asynccontextmanager
async def call(
    port: int,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[Any] | None = None,
    max_queue: int | None = 16,
    path: str = "/v1/stream",
    **query: object,
) -> AsyncIterator[Caller]:
    """Connect, without any pings of the client's own."""
    async with connect(
        stream_url(port, path, **query),
        additional_headers=headers,
        subprotocols=subprotocols,
        compression=None,
        ping_interval=None,
        proxy=None,
        max_queue=max_queue,
        open_timeout=LIMIT_S,
        close_timeout=5,
    ) as connection:
        yield Caller(connection)
