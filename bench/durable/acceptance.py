"""What durable jobs cost: accepting one over HTTP, and a synchronous request, which needs none.

A server with SQLite, one with PostgreSQL (which waits for the disk), and a yardstick (the same
bytes written and synced by this program) take turns. Jobs stay queued behind one that waits, so
that the time is that of acceptance only.

Synchronous requests are sent in turn to a server of this source and to one of an earlier source
without the ledger, if there is one. Its database must not change meanwhile.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from auricle.values.types import SAMPLE_RATE_HZ
from bench.durable.job import SCRIPTED
from bench.lib.audio import as_wav
from bench.lib.database import postgres_running
from bench.lib.posting import WAV_TYPE, Client, percentiles_ms
from bench.lib.report import ROOT
from bench.lib.service import Server, running
from bench.lib.speech import TESTDATA, load_audio

BODY_BYTES = 1_000_000
BLOCK = 20
"""Requests to one server before the next one's turn."""
WARM_UP = 20
CLIP_S = 4.0


async def measure(requests: int, sync_requests: int, baseline: Path | None) -> dict[str, Any]:
    """Return the figures.

    Args:
        requests: Number of jobs to accept, for each database.
        sync_requests: Number of synchronous requests, for each server.
        baseline: Directory ``src`` of an earlier version.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gate = folder / "gate"
        gate.touch()
        postgres = stack.enter_context(postgres_running(syncs=True))
        scripted: dict[str, Any] = {
            "engine": SCRIPTED,
            "workers": 1,
            "max_file_jobs": 1,
            "job_timeout_min_s": 3600,
        }
        sqlite: dict[str, Any] = {"state_dir": folder / "sqlite"}
        shared: dict[str, Any] = {
            "state_dir": folder / "postgres",
            "database_url": postgres.conninfo,
        }
        servers = {
            "SQLite": stack.enter_context(running(folder / "1.log", **scripted, **sqlite)),
            "PostgreSQL": stack.enter_context(running(folder / "2.log", **scripted, **shared)),
        }
        accepted = await measure_acceptance(servers, gate, folder, requests)
        gate.unlink()
    return accepted | {"synchronous": await measure_synchronous(sync_requests, baseline)}


async def measure_acceptance(
    servers: dict[str, Server], gate: Path, folder: Path, requests: int
) -> dict[str, Any]:
    """Measure the acceptance of jobs of 1 MB, and the yardstick, in turn."""
    noise = np.random.default_rng(1).integers(-999, 999, BODY_BYTES // 2 - 22, np.int16)
    wav = as_wav(noise)
    times_s: dict[str, list[float]] = {"yardstick": [], **{name: [] for name in servers}}
    for server in servers.values():
        await post(server, wav, wait=0, job_id="first", initial_prompt=f"scripted:hold:{gate}")
    for number in range(WARM_UP + requests):
        for name, server in servers.items():
            times_s[name].append(await post(server, wav, wait=0, job_id=f"job-{number}"))
        times_s["yardstick"].append(await asyncio.to_thread(write_synced, folder, wav))
    return {
        "body_bytes": len(wav),
        "requests": requests,
        "accepted_ms": {name: percentiles_ms(values[WARM_UP:]) for name, values in times_s.items()},
    }


def write_synced(folder: Path, content: bytes) -> float:
    """Write and rename a file durably; return the time in seconds."""
    began_at = time.perf_counter()
    partial, path = folder / "yardstick.part", folder / "yardstick"
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return time.perf_counter() - began_at


async def measure_synchronous(requests: int, baseline: Path | None) -> dict[str, Any]:
    """Measure synchronous requests to this version and to an earlier one, in turn."""
    clip = load_audio(TESTDATA / "fellow.wav")
    wav = as_wav(np.resize(clip, int(CLIP_S * SAMPLE_RATE_HZ)))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        state = folder / "state"

        def start(name: str, environment: dict[str, str] | None = None) -> Server:
            settings: dict[str, Any] = {
                "engine": SCRIPTED,
                "workers": 1,
                "state_dir": folder / name,
            }
            log = folder / f"{name}.log"
            return stack.enter_context(running(log, environment, **settings))

        servers = {"this version": start("state")}
        if baseline is not None:
            path = os.pathsep.join([str(baseline), str(ROOT)])
            servers["without the ledger"] = start("before", {"PYTHONPATH": path})
        else:
            servers["the same again"] = start("again")
        blocks: dict[str, list[list[float]]] = {name: [] for name in servers}
        before = snapshot(state)
        for number in range(1 + requests // BLOCK):
            for name in [*servers] if number % 2 else [*servers][::-1]:
                block = [await post(servers[name], wav) for _ in range(BLOCK)]
                if number:
                    blocks[name].append(block)
        changed = snapshot(state) != before
    ours, others = blocks.values()
    ratios = [
        statistics.median(a) / statistics.median(b) for a, b in zip(ours, others, strict=True)
    ]
    return {
        "requests": len(ours) * BLOCK,
        "audio_s": CLIP_S,
        "took_ms": {
            name: percentiles_ms([time_s for block in each for time_s in block])
            for name, each in blocks.items()
        },
        "ratio_of_medians": spread(ratios),
        "database_changed": changed,
    }


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes when a file is written."""

    name: str
    size: int
    modified_ns: int


def snapshot(state: Path) -> set[FileState]:
    """Return the files of a database that hold data; the index of its log is memory."""
    files = [path for path in state.glob("ledger.sqlite3*") if not path.name.endswith("-shm")]
    stats = [(path.name, path.stat()) for path in files]
    return {FileState(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats}


def spread(ratios: Sequence[float]) -> dict[str, float]:
    """Return the median of the blocks' ratios, and its 95 % confidence interval by order."""
    ordered = sorted(ratios)
    half_width = 0.98 * len(ordered) ** 0.5
    low = max(0, int(len(ordered) / 2 - half_width))
    high = min(len(ordered) - 1, int(len(ordered) / 2 + half_width))
    return {
        "median": round(statistics.median(ordered), 3),
        "low": round(ordered[low], 3),
        "high": round(ordered[high], 3),
        "blocks": len(ordered),
    }


async def post(server: Server, wav: bytes, **query: object) -> float:
    """Post a WAV file; return the time until the response is complete, in seconds."""
    client = Client(server.url)
    fields = {"language": "en", "beam_size": 1, "audio_format": "wav"} | query
    head = client.head(f"/utterance?{urlencode(fields)}", WAV_TYPE, len(wav))
    began_at = time.perf_counter()
    response = await client.exchange(head, wav)
    took_s = time.perf_counter() - began_at
    if response.status not in (200, 202):
        raise SystemExit(f"a request was refused: {response.status} {response.content!r}")
    return took_s


def reached(figures: dict[str, Any]) -> dict[str, bool]:
    synchronous = figures["synchronous"]
    return {
        "synchronous requests leave the database as it is": not synchronous["database_changed"],
        "synchronous requests take no longer": synchronous["ratio_of_medians"]["low"] <= 1.0,
    }
