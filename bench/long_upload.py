"""An hour of speech uploaded as a job, and its effect on memory and on other requests.

    python -m bench.long_upload [--short]

The hour is a synthetic voice, ten minutes of different sentences repeated with pauses, as FLAC and
as framed Opus packets. Meanwhile utterances of 3 to 6 s are posted one after another, as WAV (which
a decode worker reads) and as JSON with PCM16 in turn. The resident memory of the server process,
without its children, is sampled. The text is scored, so that a lost chunk would show.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import numpy as np
import psutil

from auricle.protocol.framing import pack
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16
from bench.lib.audio import as_file, opus_packets
from bench.lib.posting import Body, Client, Outcome, bodies, percentiles
from bench.lib.report import command_line, machine, publish, require
from bench.lib.scoring import Errors, total, word_errors
from bench.lib.service import Server, running
from bench.lib.speech import Clip, joined, say, sentence

WORKERS = 2
PAUSES_S = (0.4, 0.9, 0.3, 1.5, 0.6, 2.5)
SAMPLE_INTERVAL_S = 0.2
POLL_INTERVAL_S = 1.0
MIN_SPEED = 2.0
"""A file that is transcribed more slowly than this multiple of real time fails."""
MAX_RISE_MB = 100.0
MAX_RESPONSE_S = 2.0
MAX_WORD_ERRORS_PERCENT = 6.0
"""Of the worst block: base has 3 %, and one lost chunk of 28 s in 10 minutes adds 4 %."""
MINUTES, DISTINCT_MINUTES, SHORT_MINUTES, SHORT_DISTINCT_MINUTES = 60.0, 10.0, 5.0, 1.0


@dataclass(frozen=True, slots=True)
class Recording:
    """The long recording: one block of speech, repeated."""

    block: Pcm16
    text: str
    repeats: int

    @property
    def block_s(self) -> float:
        """Length of a block."""
        return self.block.size / SAMPLE_RATE_HZ

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self.block_s * self.repeats


@dataclass(slots=True)
class Others:
    """What happened during the upload: memory of the server, and other requests."""

    memory_mb: list[float] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


def make_recording(minutes: float, distinct_minutes: float) -> Recording:
    chance, clips, seconds = random.Random(11), list[Clip](), 0.0
    while seconds < distinct_minutes * 60:
        text = sentence(chance)
        pcm = say(text, chance.choice((0.95, 1.05, 1.15)))
        clips.append(Clip(f"spoken-{len(clips)}", "spoken", pcm, text))
        seconds += clips[-1].seconds + PAUSES_S[(len(clips) - 1) % len(PAUSES_S)]
    block, text = joined(clips, PAUSES_S)
    return Recording(block, text, max(1, round(minutes * 60 * SAMPLE_RATE_HZ / block.size)))


def files(recording: Recording) -> dict[str, bytes]:
    """Return the recording by audio format."""
    framed = b"".join(pack(packet) for packet in opus_packets(recording.block))
    flac = as_file(np.tile(recording.block, recording.repeats), "flac", "flac")
    return {"flac": flac, "opus": framed * recording.repeats}


async def post_utterances(server: Server, prepared: Sequence[Body], others: Others) -> None:
    client = Client(server.url)
    for body in itertools.cycle(prepared):
        others.outcomes.append(await client.post(body))


async def watch_memory(server: Server, others: Others) -> None:
    while True:
        others.memory_mb.append(round(server.process.memory_info().rss / 1e6, 1))
        await asyncio.sleep(SAMPLE_INTERVAL_S)


async def upload(server: Server, audio_format: str, content: bytes) -> tuple[float, dict[str, Any]]:
    """Post a file as a job; return the duration of the upload, and the result."""
    query = {"language": "en", "beam_size": "1", "audio_format": audio_format, "wait": "0"}
    async with httpx2.AsyncClient(base_url=server.url, timeout=600) as client:
        began_at = time.monotonic()
        headers = {"content-type": "application/octet-stream"}
        response = await client.post("/utterance", params=query, headers=headers, content=content)
        upload_s = time.monotonic() - began_at
        if response.status_code != 202:
            raise RuntimeError(f"no job: {response.status_code} {response.text}")
        while True:
            job = (await client.get(response.headers["location"])).json()
            if job["state"] == "done":
                return upload_s, job["result"]
            if job["state"] in ("failed", "cancelled"):
                raise RuntimeError(f"the job {job['state']}: {job['error']}")
            await asyncio.sleep(POLL_INTERVAL_S)


def score(recording: Recording, result: dict[str, Any]) -> list[Errors]:
    """Return the word errors of each block."""
    texts = [""] * recording.repeats
    for segment in result["segments"]:
        middle_s = (segment["start"] + segment["end"]) / 2
        texts[min(int(middle_s / recording.block_s), recording.repeats - 1)] += segment["text"]
    return [word_errors(recording.text, text) for text in texts]


async def measure(
    server: Server, recording: Recording, audio_format: str, content: bytes
) -> dict[str, Any]:
    """Upload one file, and return the figures."""
    prepared, others, client = bodies(), Others(), Client(server.url)
    undisturbed = [await client.post(body) for body in prepared]
    before_mb, began_at = server.process.memory_info().rss / 1e6, time.monotonic()
    tasks = [
        asyncio.create_task(watch_memory(server, others)),
        asyncio.create_task(post_utterances(server, prepared, others)),
    ]
    async with asyncio.timeout(recording.seconds / MIN_SPEED + 60):
        upload_s, result = await upload(server, audio_format, content)
    took_s = time.monotonic() - began_at
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    blocks = score(recording, result)
    done = [outcome.took_s for outcome in others.outcomes if outcome.is_done]
    return {
        "audio_s": round(recording.seconds, 1),
        "file_mb": round(len(content) / 1e6, 1),
        "upload_s": round(upload_s, 2),
        "took_s": round(took_s, 1),
        "times_real_time": round(recording.seconds / took_s, 1),
        "word_errors_percent": round(total(blocks).percent, 2),
        "worst_block_percent": round(max(block.percent for block in blocks), 2),
        "gaps": result["error"],
        "server_before_mb": round(before_mb, 1),
        "server_peak_mb": max(others.memory_mb),
        "server_rise_mb": round(max(others.memory_mb) - before_mb, 1),
        "utterances": len(done),
        "utterances_failed": [one.code for one in others.outcomes if not one.is_done],
        "utterances_s": percentiles(done),
        "undisturbed_s": percentiles([outcome.took_s for outcome in undisturbed]),
    }


def reached(name: str, figures: dict[str, Any]) -> dict[str, bool]:
    times_s = figures["utterances_s"]
    is_quick = not figures["utterances_failed"] and times_s and times_s["max"] <= MAX_RESPONSE_S
    is_complete = figures["worst_block_percent"] <= MAX_WORD_ERRORS_PERCENT
    return {
        f"{name}: memory grows by at most {MAX_RISE_MB:g} MB": figures["server_rise_mb"]
        <= MAX_RISE_MB,
        f"{name}: utterances are done within {MAX_RESPONSE_S:g} s": bool(is_quick),
        f"{name}: no chunk is lost": not figures["gaps"] and is_complete,
    }


def main() -> None:
    parser = command_line(__doc__, "long_upload")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--short", action="store_true", help="5 minutes, for checks")
    arguments = parser.parse_args()
    minutes = SHORT_MINUTES if arguments.short else arguments.minutes
    distinct = SHORT_DISTINCT_MINUTES if arguments.short else DISTINCT_MINUTES
    print(machine())
    load_before = psutil.getloadavg()[0]
    print(f"load average before: {load_before:.2f} (times are useful only if it is near 0)")
    recording = make_recording(minutes, distinct)
    results, targets = {}, dict[str, bool]()
    with running(workers=WORKERS) as server:
        for name, content in files(recording).items():
            results[name] = asyncio.run(measure(server, recording, name, content))
            print(f"{name}: {results[name]}", flush=True)
            targets |= reached(name, results[name])
    result = {"load_before": round(load_before, 2), "is_short": arguments.short}
    publish(arguments.out, result | {"uploads": results, "reached": targets})
    require(targets)


if __name__ == "__main__":
    main()
