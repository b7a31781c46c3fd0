"""Utterances as clients post them: prepared bodies, and a lean client on raw sockets.

The generator of load shares the machine with the server, so it prepares what can be prepared and
costs as little as it can.
"""

import asyncio
import base64
import json
import time
import wave
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from auricle.types import SAMPLE_RATE_HZ, Pcm16
from bench.service import CORPUS, ROOT
from bench.speech import load_audio

CLIPS = 12
MIN_CLIP_S, MAX_CLIP_S = 3.0, 6.0
QUERY = "language=en&beam_size=1"
JSON_TYPE, WAV_TYPE = "application/json", "audio/wav"
WAV_PATH = f"/utterance?{QUERY}&audio_format=wav"


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
    """What became of one request; times are monotonic seconds."""

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
        """When the answer was there."""
        return self.sent_at + self.took_s

    @property
    def is_done(self) -> bool:
        """Whether there is a text."""
        return self.status == 200

    @property
    def is_refused(self) -> bool:
        """Whether the service says that it has too much to do."""
        return self.status in (429, 503)

    @property
    def delays_s(self) -> tuple[float, ...]:
        """What whoever asked had to wait for."""
        return self.final_delays_s or (self.took_s,)


def clip_files() -> list[Path]:
    if not CORPUS.is_dir():
        print("The corpus is missing: using testdata.")
        return [ROOT / "testdata" / name for name in ("fellow.wav", "pair.wav")]
    entries = [json.loads(line) for line in (CORPUS / "manifest.jsonl").open()]
    fitting = [
        entry["file"]
        for entry in entries
        if entry["language"] == "en" and MIN_CLIP_S <= entry["seconds"] <= MAX_CLIP_S
    ]
    return [CORPUS / name for name in fitting[:: max(1, len(fitting) // CLIPS)][:CLIPS]]


def bodies() -> list[Body]:
    """Return each clip as JSON and as WAV, all clips before one comes again."""
    prepared: dict[str, list[Body]] = {JSON_TYPE: [], WAV_TYPE: []}
    for path in clip_files():
        pcm = load_audio(path)
        for media_type, content in ((JSON_TYPE, as_json(pcm)), (WAV_TYPE, as_wav(pcm))):
            target = "/utterance" if media_type == JSON_TYPE else WAV_PATH
            body = Body(path.name, pcm.size / SAMPLE_RATE_HZ, media_type, target, content)
            prepared[media_type].append(body)
    first, second = prepared.values()
    in_turn = [pair[i % 2] for i, pair in enumerate(zip(first, second, strict=True))]
    others = [pair[1 - i % 2] for i, pair in enumerate(zip(first, second, strict=True))]
    return [*in_turn, *others]


def as_json(pcm: Pcm16) -> bytes:
    fields = {
        "audio": base64.b64encode(pcm.astype("<i2").tobytes()).decode(),
        "audio_format": "pcm16",
        "sample_rate": SAMPLE_RATE_HZ,
        "language": "en",
        "beam_size": 1,
    }
    return json.dumps(fields).encode()


def as_wav(pcm: Pcm16) -> bytes:
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", "not compressed"))
        file.writeframes(pcm.astype("<i2").tobytes())
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came, and when the request was sent."""

    sent_at: float
    status: int
    headers: dict[str, str]
    content: bytes


class Client:
    """Sends prepared requests, each over a connection of its own."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._host, self._port = host, int(port)

    async def post(self, body: Body, key: str | None = None) -> Outcome:
        """Send one request and return what became of it; ``key`` is shown if there is one."""
        head = self.head(body.path, body.media_type, len(body.content), key)
        got = await self.exchange(head, body.content)
        took_s = time.monotonic() - got.sent_at
        answer = json.loads(got.content)
        retry_after = got.headers.get("retry-after", "")
        return Outcome(
            body.clip,
            body.audio_s,
            key,
            got.sent_at,
            took_s,
            got.status,
            int(retry_after) if retry_after.isdecimal() else None,
            answer.get("text", ""),
            (answer.get("error") or {}).get("code", ""),
        )

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
            f"host: {self._host}:{self._port}",
            "connection: close",
        ]
        if media_type:
            lines += [f"content-type: {media_type}", f"content-length: {length_bytes}"]
        if key:
            lines.append(f"authorization: Bearer {key}")
        return "\r\n".join([*lines, "", ""]).encode()

    async def exchange(self, head: bytes, content: bytes) -> Answer:
        """Send a request and return its answer."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            sent_at = time.monotonic()
            writer.write(head)
            writer.write(content)
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            answer = await reader.readexactly(int(headers["content-length"]))
            return Answer(sent_at, int(lines[0].split()[1]), headers, answer)
        finally:
            writer.close()


def statuses(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return how often there was which status and code."""
    counted = Counter(f"{outcome.status} {outcome.code}".strip() for outcome in outcomes)
    return dict(sorted(counted.items()))


def percentiles_ms(times_s: Sequence[float]) -> dict[str, float] | None:
    """Return how long things took; ``None`` if there were none."""
    if not times_s:
        return None
    times_ms = np.array(times_s) * 1000
    return {
        "p50": round(float(np.percentile(times_ms, 50)), 1),
        "p95": round(float(np.percentile(times_ms, 95)), 1),
        "p99": round(float(np.percentile(times_ms, 99)), 1),
        "max": round(float(times_ms.max()), 1),
    }
