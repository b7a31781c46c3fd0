"""Cost of live streams at a gateway: CPU time and memory of its process.

The engine returns at once, so nothing waits for recognisers, and partials have their maximum rate:
the cost of a stream at the gateway is at its maximum. Recognisers run in separate processes, below
the server or behind HTTP, and are not counted.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from auricle.values.types import OpusPacket
from bench.lib.audio import opus_packets
from bench.lib.raw_stream import NOISE, RawStreams, noise_packets
from bench.lib.report import ROOT
from bench.lib.service import Server, running
from tests.support.clips import CLIPS

STREAMS = 40
SETTLE_S, MEASURE_S = 6.0, 20.0
CLIPS_PLAYED = ("fellow.wav", "pair.wav")
PAUSE_S = 1.1
QUEUE_S = 2000
OWN_SETTINGS: dict[str, Any] = {
    "engine": "tests.support.scripted_engine",
    "max_sessions": 1000,
    "queue_audio_s": QUEUE_S,
    "max_sessions_per_address": 0,
    "address_connections": 0,
}


def speech_packets() -> list[OpusPacket]:
    """Return recorded sentences with pauses between them as Opus, to be played again and again."""
    chance = np.random.default_rng(1)
    pieces = []
    for name in CLIPS_PLAYED:
        pieces += [CLIPS[name].pcm, chance.normal(0, NOISE, int(PAUSE_S * 16_000)).astype(np.int16)]
    return opus_packets(np.concatenate(pieces))


@dataclass(frozen=True, slots=True)
class _Look:
    at_s: float
    cpu_s: float
    rss_bytes: int

    @classmethod
    def at(cls, service: Server) -> "_Look":
        times = service.process.cpu_times()
        rss_bytes = service.process.memory_info().rss
        return cls(time.monotonic(), times.user + times.system, rss_bytes)


async def measure(service: Server, packets: Sequence[OpusPacket], streams: int) -> dict[str, Any]:
    """Return the cost of a number of streams in the server's process."""
    empty = _Look.at(service)
    played, step = RawStreams(service.url, streams), max(1, len(packets) // streams)
    await played.open()
    tick = await played.send(packets, SETTLE_S, 0, step)
    before = _Look.at(service)
    finals = played.finals
    await played.send(packets, MEASURE_S, tick, step)
    after = _Look.at(service)
    finals = played.finals - finals
    played.close()
    cores = (after.cpu_s - before.cpu_s) / (after.at_s - before.at_s)
    return {
        "streams": streams - played.refused,
        "cores_for_each_stream": round(cores / streams, 5),
        "kb_for_each_stream": round((after.rss_bytes - empty.rss_bytes) / 1000 / streams),
        "server_mb": round(after.rss_bytes / 1e6, 1),
        "finals": finals,
        "generator_late_ms": round(1000 * played.latest_s),
    }


@contextmanager
def _recogniser() -> Iterator[str]:
    """Run a separate recogniser, without Ray, and yield its URL."""
    settings = OWN_SETTINGS | {"workers": 2, "sandbox_folders": ROOT}
    environment = os.environ | {
        **{f"AURICLE_{name.upper()}": str(value) for name, value in settings.items()},
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.recogniser"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def run() -> dict[str, Any]:
    """Measure all of it, and print it."""
    shown: dict[str, Any] = {"seconds": MEASURE_S}
    own = OWN_SETTINGS | {"sandbox_folders": ROOT}
    for name, packets in (("silent", noise_packets()), ("speaking", speech_packets())):
        with running(workers=2, **own) as service:
            shown[name] = asyncio.run(measure(service, packets, STREAMS))
            print(f"  {name}: {shown[name]}", flush=True)
    with _recogniser() as url, running(engine_urls=url, **own) as service:
        name = "speaking, recognisers behind HTTP"
        shown[name] = asyncio.run(measure(service, speech_packets(), STREAMS))
        print(f"  {name}: {shown[name]}", flush=True)
    return shown
