"""Utterances as clients post them: prepared requests, and a small client on raw sockets.

The load generator shares the machine with the server, so it prepares its requests in advance and
uses little CPU time.
"""

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import as_wav
from bench.lib.speech import CORPUS, TESTDATA, load_audio

CLIPS = 12
MIN_CLIP_S, MAX_CLIP_S = 3.0, 6.0
JSON_TYPE, WAV_TYPE = "application/json", "audio/wav"
WAV_PATH = "/utterance?language=en&beam_size=1&audio_format=wav"


@dataclass(frozen=True, slots=True)
class Body:
    """One prepared request, without its key."""

    clip: str
    audio_s: float
    media_type: str
    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one request or live session; times are monotonic seconds."""

    clip: str
    audio_s: float
    key: str | None
    sent_at: float
    took_s: float
    status: int
    retry_after_s: int | None = None
    text: str = ""
    code: str = ""
    final_delays_s: tuple[float, ...] = ()
    """Of a live session: from the last sample of each utterance to its final."""

    @property
    def ended_at(self) -> float:
        """When the response was complete."""
        return self.sent_at + self.took_s

    @property
    def is_done(self) -> bool:
        """Whether there is a text."""
        return self.status == 200

    @property
    def is_refused(self) -> bool:
        """Whether the server refused the request because of its load."""
        return self.status in (429, 503)

    @property
    def delays_s(self) -> tuple[float, ...]:
        """The delays that the client saw."""
        return self.final_delays_s or (self.took_s,)


def clip_files() -> list[Path]:
    """Return clips of 3 to 6 s of English speech."""
    if not CORPUS.is_dir():
        print("The corpus is missing: using testdata.")
        return [TESTDATA / name for name in ("fellow.wav", "pair.wav")]
    entries = [json.loads(line) for line in (CORPUS / "manifest.jsonl").open()]
    fitting = [
        entry["file"]
        for entry in entries
        if entry["language"] == "en" and MIN_CLIP_S <= entry["seconds"] <= MAX_CLIP_S
    ]
    return [CORPUS / name for name in fitting[:: max(1, len(fitting) // CLIPS)][:CLIPS]]


def bodies() -> list[Body]:
    """Return each clip as JSON and as WAV, all clips before one is repeated."""
    pairs = []
    for path in clip_files():
        pcm = load_audio(path)
        audio_s = pcm.size / SAMPLE_RATE_HZ
        in_json = Body(path.name, audio_s, JSON_TYPE, "/utterance", as_json(pcm))
        pairs.append((in_json, Body(path.name, audio_s, WAV_TYPE, WAV_PATH, as_wav(pcm))))
    return [pair[(i + turn) % 2] for turn in (0, 1) for i, pair in enumerate(pairs)]


def as_json(pcm: Pcm16) -> bytes:
    fields = {
        "audio": base64.b64encode(pcm.astype("<i2").tobytes()).decode(),
        "audio_format": "pcm16",
        "sample_rate": SAMPLE_RATE_HZ,
        "language": "en",
        "beam_size": 1,
    }
    return json.dumps(fields).encode()


class Response(NamedTuple):
    """An HTTP response; a 101 has no body."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def retry_after_s(self) -> int | None:
        """The value of Retry-After."""
        value = self.headers.get("retry-after", "")
        return int(value) if value.isdecimal() else None


async def read_response(reader: asyncio.StreamReader) -> Response:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    status = int(lines[0].split()[1])
    size_bytes = 0 if status == 101 else int(headers["content-length"])
    return Response(status, headers, await reader.readexactly(size_bytes))


class Client:
    """Sends prepared requests, each over a new connection."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.host, self.port = host, int(port)

    async def post(self, body: Body, key: str | None = None) -> Outcome:
        """Send one request and return its result."""
        head = self.head(body.path, body.media_type, len(body.content), key)
        sent_at = time.monotonic()
        response = await self.exchange(head, body.content)
        took_s = time.monotonic() - sent_at
        fields = json.loads(response.content)
        return Outcome(
            body.clip,
            body.audio_s,
            key,
            sent_at,
            took_s,
            response.status,
            response.retry_after_s,
            fields.get("text", ""),
            (fields.get("error") or {}).get("code", ""),
        )

    async def get(self, path: str) -> Response:
        """Return the response to a GET."""
        return await self.exchange(self.head(path), b"")

    def head(
        self,
        path: str,
        media_type: str | None = None,
        length_bytes: int = 0,
        key: str | None = None,
    ) -> bytes:
        """Return the head of a request: a GET if it has no body."""
        lines = [
            f"{'POST' if media_type else 'GET'} {path} HTTP/1.1",
            f"host: {self.host}:{self.port}",
            "connection: close",
        ]
        if media_type:
            lines += [f"content-type: {media_type}", f"content-length: {length_bytes}"]
        if key:
            lines.append(f"authorization: Bearer {key}")
        return "\r\n".join([*lines, "", ""]).encode()

    async def exchange(self, head: bytes, content: bytes) -> Response:
        """Send a request and return its response."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(head)
            writer.write(content)
            return await read_response(reader)
        finally:
            writer.close()


def statuses(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Count the results by status and error code."""
    counted = Counter(f"{outcome.status} {outcome.code}".strip() for outcome in outcomes)
    return dict(sorted(counted.items()))


def percentiles(values: Sequence[float], digits: int = 3) -> dict[str, float] | None:
    """Return the 50th, 95th and 99th percentile and the maximum; ``None`` without values."""
    if not values:
        return None
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    figures = {"p50": p50, "p95": p95, "p99": p99, "max": max(values)}
    return {name: round(float(value), digits) for name, value in figures.items()}


def percentiles_ms(times_s: Sequence[float]) -> dict[str, float] | None:
    """Return percentiles of times in milliseconds; ``None`` without any."""
    return percentiles([1000 * time_s for time_s in times_s], 1)
