"""An hour of speech uploaded as a body, while others go on: memory, and how long those others wait.

The hour is Piper's voice, some minutes of distinct sentences again and again with pauses, as FLAC
and as raw framed Opus packets. It is posted as a job (``wait=0``), with ``--wait`` also as a
request that waits for its text. Meanwhile utterances of 3 to 6 s are posted one after another, as
FLAC (which a decode worker reads) and as JSON with PCM16 in turn.

Sampled all the while: the server process's own resident memory, without its children, and that of
its workers. The whole text is scored against what was said, so that a lost piece would show.
"""

import argparse
import asyncio
import base64
import contextlib
import itertools
import json
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import httpx2
import numpy as np
import opuslib_next
import psutil

from auricle.protocol.framing import pack
from auricle.types import SAMPLE_RATE_HZ, OpusPacket, Pcm16
from bench.report import machine, write_json
from bench.scoring import Errors, total, word_errors
from bench.service import CORPUS, ROOT, Service, serve
from bench.speech import Clip, joined, load_audio, say, sentence

WORKERS = 2
PAUSES_S = (0.4, 0.9, 0.3, 1.5, 0.6, 2.5)
FRAME_SAMPLES = SAMPLE_RATE_HZ // 50  # 20 ms, as browsers send
BITRATE_BPS = 24_000
CHUNK_BYTES = 256 * 1024
CLIPS = 12
MIN_CLIP_S, MAX_CLIP_S = 3.0, 6.0
SAMPLE_EACH_S = 0.2
ASK_EACH_S = 1.0
MAX_WAIT_S = 3 * 3600.0
SLOWEST_SPEED = 2.0
"""A file that is worked on more slowly than so many times real time is given up."""
TARGET_RISE_MB = 100.0
TARGET_ANSWER_S = 2.0
MAX_WORD_ERRORS_PERCENT = 6.0
"""Of the worst block: base gets 3 % wrong, and one lost piece of 28 s in 10 minutes is 4 % more."""
SHORT_MINUTES, MINUTES, DISTINCT_MINUTES, SHORT_DISTINCT_MINUTES = 5.0, 60.0, 10.0, 1.0
MB = 1e6


@dataclass(frozen=True, slots=True)
class Hour:
    """The long recording: one block of speech, again and again."""

    block: Pcm16
    text: str
    repeats: int

    @property
    def block_s(self) -> float:
        """How long a block is."""
        return self.block.size / SAMPLE_RATE_HZ

    @property
    def seconds(self) -> float:
        """How long all of it is."""
        return self.block_s * self.repeats


@dataclass(frozen=True, slots=True)
class LongFile:
    """The recording as a file, and how it is posted."""

    name: str
    path: Path
    size_bytes: int
    audio_format: str
    waits: bool


@dataclass(frozen=True, slots=True)
class Utterance:
    """A request of somebody else."""

    kind: str
    query: dict[str, str]
    media_type: str
    content: bytes


@dataclass(slots=True)
class Memory:
    """Resident bytes over time; the parent's own, and the largest child of each kind."""

    parent: list[int] = field(default_factory=list)
    children: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Others:
    """How the utterances fared."""

    took_s: dict[str, list[float]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def make_hour(minutes: float, distinct_minutes: float) -> Hour:
    """Return speech of at least so many minutes."""
    chance, clips = random.Random(11), list[Clip]()
    seconds = 0.0
    while seconds < distinct_minutes * 60:
        text = sentence(chance)
        pcm = say(text, chance.choice((0.95, 1.05, 1.15)))
        clips.append(Clip(f"spoken-{len(clips)}", "spoken", pcm, text))
        seconds += clips[-1].seconds + PAUSES_S[(len(clips) - 1) % len(PAUSES_S)]
    block, text = joined(clips, PAUSES_S)
    return Hour(block, text, max(1, round(minutes * 60 * SAMPLE_RATE_HZ / block.size)))


def write_flac(path: Path, hour: Hour) -> None:
    with av.open(str(path), "w", format="flac") as out:
        stream = out.add_stream("flac", rate=SAMPLE_RATE_HZ, layout="mono")
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(stream.format, "mono", SAMPLE_RATE_HZ, 4096)
        for number in range(hour.repeats):
            frame = av.AudioFrame.from_ndarray(hour.block[np.newaxis], format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, number * hour.block.size
            for part in resampler.resample(frame):
                out.mux(stream.encode(part))
        for part in resampler.resample(None):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))


def write_packets(path: Path, hour: Hour) -> None:
    """Write framed Opus packets, ``[uint16_le length][packet]``; each block is the same bytes."""
    encoder = opuslib_next.Encoder(SAMPLE_RATE_HZ, 1, opuslib_next.APPLICATION_VOIP)
    encoder.bitrate = BITRATE_BPS
    whole = hour.block[: hour.block.size // FRAME_SAMPLES * FRAME_SAMPLES]
    packets = (
        encoder.encode(frame.tobytes(), FRAME_SAMPLES) for frame in whole.reshape(-1, FRAME_SAMPLES)
    )
    block = b"".join(pack(OpusPacket(packet)) for packet in packets)
    with path.open("wb") as file:
        for _ in range(hour.repeats):
            file.write(block)


def utterances() -> list[Utterance]:
    if CORPUS.is_dir():
        entries = [json.loads(line) for line in (CORPUS / "manifest.jsonl").open()]
        fitting = [
            entry["file"]
            for entry in entries
            if entry["language"] == "en" and MIN_CLIP_S <= entry["seconds"] <= MAX_CLIP_S
        ]
        paths = [CORPUS / name for name in fitting[:: max(1, len(fitting) // CLIPS)][:CLIPS]]
    else:
        print("The corpus is missing: using testdata for the utterances.")
        paths = [ROOT / "testdata" / "fellow.flac"]
    found = []
    for path in paths:
        query = {"language": "en", "beam_size": "1"}
        found.append(Utterance("flac", query, "audio/flac", path.read_bytes()))
        audio = base64.b64encode(load_audio(path).astype("<i2").tobytes()).decode()
        body = {"audio": audio, "audio_format": "pcm16", "language": "en", "beam_size": 1}
        found.append(Utterance("pcm16 in json", {}, "application/json", json.dumps(body).encode()))
    return found


async def file_chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk


def open_client(service: Service) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=service.url, timeout=MAX_WAIT_S)


async def post_utterance(client: httpx2.AsyncClient, utterance: Utterance, others: Others) -> None:
    began_at = time.monotonic()
    answer = await client.post(
        "/utterance",
        params=utterance.query,
        headers={"content-type": utterance.media_type},
        content=utterance.content,
    )
    took_s = time.monotonic() - began_at
    if answer.status_code == 200:
        others.took_s.setdefault(utterance.kind, []).append(took_s)
    else:
        others.failed.append(f"{answer.status_code} {answer.json()['error']['code']}")
        await asyncio.sleep(ASK_EACH_S)


async def keep_posting(service: Service, prepared: Sequence[Utterance], others: Others) -> None:
    async with open_client(service) as client:
        for utterance in itertools.cycle(prepared):
            await post_utterance(client, utterance, others)


async def watch(service: Service, memory: Memory) -> None:
    while True:
        await asyncio.to_thread(measure, service, memory)
        await asyncio.sleep(SAMPLE_EACH_S)


def measure(service: Service, memory: Memory) -> None:
    memory.parent.append(service.process.memory_info().rss)
    for child in service.process.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            kind = child.cmdline()[-1].rpartition(".")[2]
            rss_bytes = child.memory_info().rss
            memory.children[kind] = max(memory.children.get(kind, 0), rss_bytes)


@contextlib.asynccontextmanager
async def beside(
    service: Service, prepared: Sequence[Utterance], memory: Memory, others: Others
) -> AsyncIterator[None]:
    """Watch and post while the block runs."""
    tasks = [
        asyncio.create_task(watch(service, memory)),
        asyncio.create_task(keep_posting(service, prepared, others)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def upload(client: httpx2.AsyncClient, file: LongFile) -> tuple[float, dict[str, Any]]:
    """Post a file; return how long it took to be answered, and its transcript."""
    query = {"language": "en", "beam_size": "1", "audio_format": file.audio_format}
    query |= {"max_wait_s": str(MAX_WAIT_S)} if file.waits else {"wait": "0"}
    began_at = time.monotonic()
    answer = await client.post(
        "/utterance",
        params=query,
        headers={
            "content-type": "application/octet-stream",
            "content-length": str(file.size_bytes),
        },
        content=file_chunks(file.path),
    )
    upload_s = time.monotonic() - began_at
    if file.waits:
        answer.raise_for_status()
        return upload_s, answer.json()
    if answer.status_code != 202:
        raise RuntimeError(f"no job: {answer.status_code} {answer.text}")
    while True:
        job = (await client.get(answer.headers["location"])).json()
        if job["state"] in ("done", "failed", "cancelled"):
            if job["state"] != "done":
                raise RuntimeError(f"the job {job['state']}: {job['error']}")
            return upload_s, job["result"]
        await asyncio.sleep(ASK_EACH_S)


def score(hour: Hour, result: dict[str, Any]) -> list[Errors]:
    """Return the word errors of each block; of all at once they would cost the square."""
    texts = [""] * hour.repeats
    for segment in result["segments"]:
        middle_s = (segment["start"] + segment["end"]) / 2
        texts[min(int(middle_s / hour.block_s), hour.repeats - 1)] += segment["text"]
    return [word_errors(hour.text, text) for text in texts]


def seconds_of(times_s: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(float(np.percentile(times_s, 50)), 3),
        "p95": round(float(np.percentile(times_s, 95)), 3),
        "max": round(max(times_s), 3),
    }


async def run_one(service: Service, hour: Hour, file: LongFile) -> dict[str, Any]:
    """Upload one file and return what was seen meanwhile."""
    prepared, memory, others = utterances(), Memory(), Others()
    usual = Others()
    async with open_client(service) as client:
        for utterance in prepared:
            await post_utterance(client, utterance, usual)
        await asyncio.to_thread(measure, service, memory)
        before_bytes, began_at = memory.parent[0], time.monotonic()
        async with beside(service, prepared, memory, others):
            async with asyncio.timeout(hour.seconds / SLOWEST_SPEED + 60):
                upload_s, result = await upload(client, file)
            took_s = time.monotonic() - began_at
    blocks = score(hour, result)
    answered = [took for times in others.took_s.values() for took in times]
    return {
        "audio_s": round(hour.seconds, 1),
        "file_mb": round(file.size_bytes / MB, 1),
        "upload_s": round(upload_s, 2) if not file.waits else None,
        "took_s": round(took_s, 1),
        "times_real_time": round(hour.seconds / took_s, 1),
        "word_errors_percent": round(total(blocks).percent, 2),
        "worst_block_percent": round(max(block.percent for block in blocks), 2),
        "gaps": result["error"],
        "parent_before_mb": round(before_bytes / MB, 1),
        "parent_peak_mb": round(max(memory.parent) / MB, 1),
        "parent_after_mb": round(memory.parent[-1] / MB, 1),
        "parent_rise_mb": round((max(memory.parent) - before_bytes) / MB, 1),
        "largest_child_mb": {kind: round(rss / MB, 1) for kind, rss in memory.children.items()},
        "utterances": {
            "answered": len(answered),
            "failed": others.failed,
            "beyond_target": sum(took > TARGET_ANSWER_S for took in answered),
            "all_s": seconds_of(answered) if answered else None,
            "by_kind_s": {kind: seconds_of(times) for kind, times in others.took_s.items()},
            "undisturbed_s": {kind: seconds_of(times) for kind, times in usual.took_s.items()},
        },
    }


def show(name: str, figures: dict[str, Any]) -> bool:
    """Print one upload's figures; return whether the targets are reached."""
    others = figures["utterances"]
    print(f"\n{name}: {figures['audio_s'] / 60:.1f} minutes, {figures['file_mb']} MB")
    print(
        f"  done in {figures['took_s']} s = {figures['times_real_time']} times real time "
        f"(upload {figures['upload_s']} s), {figures['word_errors_percent']} % of words wrong "
        f"(worst block {figures['worst_block_percent']} %), gaps: {figures['gaps'] or 'none'}"
    )
    print(
        f"  server process {figures['parent_before_mb']} MB before, {figures['parent_peak_mb']} "
        f"at most, {figures['parent_after_mb']} after; largest child {figures['largest_child_mb']}"
    )
    print(f"  {others['answered']} utterances meanwhile, failed: {others['failed'] or 'none'}")
    for kind, times_s in others["by_kind_s"].items():
        print(f"    {kind:14} {times_s} s; undisturbed {others['undisturbed_s'].get(kind)} s")
    is_small = figures["parent_rise_mb"] <= TARGET_RISE_MB
    is_quick = bool(others["answered"]) and not others["beyond_target"] and not others["failed"]
    print(
        f"  target, memory up by at most {TARGET_RISE_MB:g} MB: "
        f"{'reached' if is_small else 'NOT reached'} ({figures['parent_rise_mb']} MB)"
    )
    print(
        f"  target, utterances answered within {TARGET_ANSWER_S:g} s: "
        f"{'reached' if is_quick else 'NOT reached'} "
        f"({others['beyond_target']} of {others['answered']} took longer)"
    )
    is_whole = not figures["gaps"] and figures["worst_block_percent"] <= MAX_WORD_ERRORS_PERCENT
    print(f"  nothing is lost: {'right' if is_whole else 'WRONG'}")
    return is_small and is_quick and is_whole


def files(folder: Path, hour: Hour, *, waits: bool) -> list[LongFile]:
    flac, packets = folder / "hour.flac", folder / "hour.opus-packets"
    write_flac(flac, hour)
    write_packets(packets, hour)
    found = [
        LongFile("FLAC, a job", flac, flac.stat().st_size, "flac", waits=False),
        LongFile("framed Opus, a job", packets, packets.stat().st_size, "opus", waits=False),
    ]
    if waits:
        found.append(replace(found[0], name="FLAC, waited for", waits=True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--distinct-minutes", type=float, default=DISTINCT_MINUTES)
    parser.add_argument("--wait", action="store_true", help="also as a request that waits")
    parser.add_argument("--short", action="store_true", help="5 minutes, for checks")
    parser.add_argument("--json", type=Path, default=ROOT / "bench/results/long_upload.json")
    arguments = parser.parse_args()
    minutes = SHORT_MINUTES if arguments.short else arguments.minutes
    distinct = SHORT_DISTINCT_MINUTES if arguments.short else arguments.distinct_minutes
    print(machine())
    load_before = psutil.getloadavg()[0]
    print(f"load average before: {load_before:.2f} (times mean little unless it is near 0)")
    hour = make_hour(minutes, distinct)
    print(f"{hour.seconds / 60:.1f} minutes of speech, {hour.block_s / 60:.1f} of them distinct")
    results, reached = {}, []
    with tempfile.TemporaryDirectory() as folder, serve(WORKERS) as service:
        for file in files(Path(folder), hour, waits=arguments.wait):
            results[file.name] = asyncio.run(run_one(service, hour, file))
            reached.append(show(file.name, results[file.name]))
    write_json(
        arguments.json,
        {
            "machine": machine(),
            "load_before": round(load_before, 2),
            "is_short": arguments.short,
            "uploads": results,
            "is_reached": all(reached),
        },
    )
    if not all(reached):
        raise SystemExit("a target is missed")


if __name__ == "__main__":
    main()
