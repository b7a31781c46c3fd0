"""What live streams take of a gateway: processor time and memory of its own process.

The engine answers at once, so nothing here waits for recognisers, and guesses are made as often as
they ever are: what a gateway has to do for a stream is at its most. Recognisers run in processes of
their own, below the server or behind HTTP, and are not counted.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auricle.audio.opus import find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.types import OpusPacket
from bench.live_quiet import GROUPS, NOISE, PACKET_S, QuietStreams, frame, noise_packets
from bench.service import ROOT, Service, serve
from tests.support.clips import CLIPS
from tests.support.command import model_directory

STREAMS = 40
SETTLE_S, MEASURE_S = 6.0, 20.0
CLIPS_PLAYED = ("fellow.wav", "pair.wav")
PAUSE_S = 1.1
QUEUE_S = 2000
OWN_SETTINGS: dict[str, Any] = {
    "engine": "tests.support.scripted_engine:load",
    "max_sessions": 1000,
    "queue_audio_s": QUEUE_S,
    "max_sessions_per_address": 0,
    "address_connections": 0,
}


def speech_packets() -> list[OpusPacket]:
    """Return recorded sentences with pauses between them as Opus, to be played again and again."""
    encoder = OpusPacketEncoder(find_libopus())
    chance = np.random.default_rng(1)
    pieces = []
    for name in CLIPS_PLAYED:
        pieces += [CLIPS[name].pcm, chance.normal(0, NOISE, int(PAUSE_S * 16_000)).astype(np.int16)]
    pcm = np.concatenate(pieces)
    size = encoder.frame_samples
    return [encoder.encode(pcm[at : at + size]) for at in range(0, pcm.size - size + 1, size)]


class PlayingStreams(QuietStreams):
    """Streams that each play the same packets, from places of their own."""

    async def play(self, packets: Sequence[OpusPacket], seconds: float, first_tick: int) -> int:
        """Send at real-time pace; return the tick at which to go on."""
        began_at = time.monotonic()
        step = max(1, len(packets) // max(1, len(self._streams)))
        ticks = int(seconds / PACKET_S)
        for tick in range(ticks):
            for group in range(GROUPS):
                late_s = time.monotonic() - began_at - (tick + group / GROUPS) * PACKET_S
                self.latest_s = max(self.latest_s, late_s)
                if late_s < 0:
                    await asyncio.sleep(-late_s)
                for number in range(group, len(self._streams), GROUPS):
                    seq = first_tick + tick
                    packet = packets[(seq + number * step) % len(packets)]
                    self._streams[number].transport.write(frame(packet, seq))
            await asyncio.sleep(0)
        return first_tick + ticks


@dataclass(frozen=True, slots=True)
class _Look:
    at_s: float
    cpu_s: float
    rss_bytes: int

    @classmethod
    def at(cls, service: Service) -> "_Look":
        times = service.process.cpu_times()
        rss_bytes = service.process.memory_info().rss
        return cls(time.monotonic(), times.user + times.system, rss_bytes)


async def measure(service: Service, packets: Sequence[OpusPacket], streams: int) -> dict[str, Any]:
    """Return what so many streams take of the server's own process."""
    empty = _Look.at(service)
    played = PlayingStreams(service.url, streams)
    await played.open()
    tick = await played.play(packets, SETTLE_S, 0)
    before = _Look.at(service)
    finals = played.finals
    await played.play(packets, MEASURE_S, tick)
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
def _recogniser(model: Path) -> Iterator[str]:
    """Run a recogniser of its own, without Ray, and give its URL."""
    settings = OWN_SETTINGS | {"model": model, "workers": 2, "sandbox_folders": ROOT}
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
    with tempfile.TemporaryDirectory() as folder:
        model = model_directory(Path(folder) / "model")
        own = OWN_SETTINGS | {"model": model, "sandbox_folders": ROOT}
        for name, packets in (("silent", noise_packets()), ("speaking", speech_packets())):
            with serve(2, **own) as service:
                shown[name] = asyncio.run(measure(service, packets, STREAMS))
                print(f"  {name}: {shown[name]}", flush=True)
        with _recogniser(model) as url, serve(None, engine_urls=url, **own) as service:
            name = "speaking, recognisers behind HTTP"
            shown[name] = asyncio.run(measure(service, speech_packets(), STREAMS))
            print(f"  {name}: {shown[name]}", flush=True)
    return shown
