"""Live sessions that somebody speaks into for a while, on raw sockets.

Their frames are made once, and each session writes them at real-time pace: hundreds of them cost
little beside the server.
"""

import asyncio
import base64
import itertools
import json
import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from auricle.audio.opus import find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.protocol.framing import pack
from auricle.types import SAMPLE_RATE_HZ, Pcm16
from bench.posting import Outcome

STEP_S = 0.1
STEP_SAMPLES = int(STEP_S * SAMPLE_RATE_HZ)
OPEN_LIMIT_S = 20.0
LAST_FINAL_LIMIT_S = 60.0
SWITCHED = 101
BROKEN = 0

_BINARY, _TEXT = 0x82, 0x81  # the last frame of a message, RFC 6455 §5.2
_OPCODE, _CLOSE, _SIZE = 0x0F, 0x08, 0x7F
_MASKED, _LONG, _LONGEST = 0x80, 126, 127
_NO_MASK = bytes(4)  # a mask of zeros changes nothing


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said in one session: a frame for each step, and how long it is."""

    name: str
    audio_s: float
    frames: tuple[bytes, ...]


def frame(payload: bytes, kind: int = _BINARY) -> bytes:
    """Return a message of a client's as it travels."""
    size = len(payload)
    if size < _LONG:
        return struct.pack(">BB", kind, _MASKED | size) + _NO_MASK + payload
    return struct.pack(">BBH", kind, _MASKED | _LONG, size) + _NO_MASK + payload


STOP = frame(b'{"type":"stop"}', _TEXT)


def talk(name: str, pcm: Pcm16) -> Talk:
    """Return speech as the frames of a session, in whole steps."""
    encoder, frames = OpusPacketEncoder(find_libopus()), []
    steps = pcm.size // STEP_SAMPLES
    per_step = STEP_SAMPLES // encoder.frame_samples
    for step in range(steps):
        parts = []
        for index in range(per_step):
            at = step * STEP_SAMPLES + index * encoder.frame_samples
            packet = encoder.encode(pcm[at : at + encoder.frame_samples])
            parts.append(pack(packet, step * per_step + index))
        frames.append(frame(b"".join(parts)))
    return Talk(name, steps * STEP_S, tuple(frames))


@dataclass
class Sessions:
    """Live sessions, one after the other or many at once.

    Args:
        host: With its port.
        talks: Said in turn, one a session.
        settle_s: As in :class:`bench.overload.work.Work`.
        flood_s: As there.
        query: Of the address, beside the format.
    """

    host: str
    talks: Sequence[Talk]
    settle_s: float
    flood_s: float
    query: str = "language=en"
    name: str = "live sessions"
    jobs_each: float | None = None
    expected: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.audio_s = sum(talk.audio_s for talk in self.talks) / len(self.talks)
        self._source = itertools.cycle(self.talks)

    async def do(self, key: str | None) -> Outcome:
        """Hold one session from its handshake to its last final, or be refused."""
        return await self.hold(next(self._source), key)

    async def hear_all(self, key: str | None) -> None:
        """See :class:`bench.overload.work.Work`."""
        outcomes = await asyncio.gather(*(self.hold(talk, key) for talk in self.talks))
        for outcome in outcomes:
            if not outcome.is_done:
                raise RuntimeError(f"{outcome.clip}: {outcome.status} {outcome.code}")
            self.expected[outcome.clip] = outcome.text

    async def hold(self, talk: Talk, key: str | None) -> Outcome:
        """Hold one session; a broken one has the status 0."""
        host, _, port = self.host.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        sent_at = time.monotonic()
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                writer.write(self._handshake(key))
                status, headers, body = await _answer(reader)
            if status != SWITCHED:
                retry_after = headers.get("retry-after", "")
                return Outcome(
                    talk.name,
                    talk.audio_s,
                    key,
                    sent_at,
                    time.monotonic() - sent_at,
                    status,
                    int(retry_after) if retry_after.isdecimal() else None,
                    code=json.loads(body)["error"]["code"],
                )
            session = _Session(talk, writer)
            async with asyncio.timeout(talk.audio_s + LAST_FINAL_LIMIT_S):
                await session.run(reader)
            took_s = time.monotonic() - sent_at
            status = 200 if session.is_closed and not session.code else BROKEN
            return Outcome(
                talk.name,
                talk.audio_s,
                key,
                sent_at,
                took_s,
                status,
                session.retry_after_s,
                " ".join(session.texts),
                session.code,
                tuple(session.delays_s),
            )
        except (OSError, EOFError, TimeoutError) as error:
            took_s = time.monotonic() - sent_at
            code = type(error).__name__
            return Outcome(talk.name, talk.audio_s, key, sent_at, took_s, BROKEN, code=code)
        finally:
            writer.close()

    def _handshake(self, key: str | None) -> bytes:
        lines = [
            f"GET /v1/stream?format=opus&seq=1&{self.query} HTTP/1.1",
            f"Host: {self.host}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ]
        if key:
            lines.append(f"Authorization: Bearer {key}")
        return "\r\n".join((*lines, "", "")).encode()


class _Session:
    """One session that was let in."""

    def __init__(self, talk: Talk, writer: asyncio.StreamWriter) -> None:
        self._talk, self._writer = talk, writer
        self.texts: list[str] = []
        self.delays_s: list[float] = []
        self.is_closed = False
        self.code = ""
        self.retry_after_s: int | None = None
        self._began_at = 0.0

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Speak, and listen until the server says that all is told, or hangs up."""
        self._began_at = time.monotonic()
        speaking = asyncio.create_task(self._speak())
        try:
            while (text := await _next_text(reader)) is not None:
                self._take(text)
        finally:
            speaking.cancel()

    async def _speak(self) -> None:
        for step, message in enumerate(self._talk.frames, 1):
            await asyncio.sleep(max(0.0, self._began_at + step * STEP_S - time.monotonic()))
            self._writer.write(message)
        self._writer.write(STOP)

    def _take(self, text: bytes) -> None:
        message = json.loads(text)
        match message["type"]:
            case "final":
                self.texts.append(message["text"])
                spoken_at = self._began_at + message["end_s"]
                self.delays_s.append(time.monotonic() - spoken_at)
                self.code = self.code or message["error"] or ""
            case "error":
                self.code = message["code"]
                self.retry_after_s = message["retry_after_s"]
            case "closed":
                self.is_closed = True
            case _:
                pass


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    status = int(lines[0].split()[1])
    size_bytes = 0 if status == SWITCHED else int(headers["content-length"])
    return status, headers, await reader.readexactly(size_bytes)


async def _next_text(reader: asyncio.StreamReader) -> bytes | None:
    """Return the server's next message; ``None`` when it closes. It sends whole frames only."""
    head, size = await reader.readexactly(2)
    if size == _LONG:
        (size,) = struct.unpack(">H", await reader.readexactly(2))
    elif size == _LONGEST:
        (size,) = struct.unpack(">Q", await reader.readexactly(8))
    payload = await reader.readexactly(size)
    return None if head & _OPCODE == _CLOSE else payload
