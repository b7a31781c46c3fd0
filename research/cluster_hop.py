"""What the way to another machine costs, and what two machines do that one doesn't.

    python -m research.cluster_hop [--only hop,engine,model]

All of it runs on one machine, in a network namespace with nothing but a loopback: so the network
itself costs nothing here, and all else is as it is between machines. Each node has one recogniser
with one worker of one thread, and the local pool has as much.

- *hop*: jobs of 3 and 30 s, one after the other, to a recogniser that answers at once: in the
  process itself (the local pool), and through HTTP, Serve's proxy, the ingress and the replica.
- *engine*: as many jobs at once as keep all workers busy, with an engine that sleeps 50 ms for each
  second of speech, which takes no processor: so two nodes can show what they add.
- *model*: the same with Whisper base. On two cores two nodes, their Ray and this program share what
  one node had nearly for itself.
"""

import argparse
import asyncio
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from auricle.cluster.gateway.transcriber import RemoteTranscriber
from auricle.cluster.settings import GatewaySettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.base import CostModel
from auricle.engines.whisper.models.bundled import ensure_bundled_base
from auricle.values.transcriber import Transcriber
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, JobKind, Options, Pcm16
from bench.lib.charts import Bars, draw
from bench.lib.report import ROOT, machine, write_json
from bench.lib.speech import speeches
from tests.resilience.cluster import namespace
from tests.resilience.cluster.nodes import Cluster
from tests.support.pool import worker_pool

HOP_AUDIO_S = (3.0, 30.0)
HOP_JOBS = 300
WARM_UP_JOBS = 20
LOAD_AUDIO_S = 5.0
AT_ONCE_A_WORKER = 6
LOAD_S = 16.0
SAME_BATCH_S = 0.05
"""Answers of one batch come within this."""
PACE = 0.05
READY_LIMIT_S = 120.0
SCRIPTED = "tests.support.scripted_engine"
PACED = "tests.support.faulty_engine"
PARTS = ("hop", "engine", "model")
WHERE = ("local", "1 node", "2 nodes")


class Speech:
    """Jobs of real speech, each of other samples."""

    def __init__(self) -> None:
        self._pcm = np.concatenate(speeches(120.0, 2))
        self._count = itertools.count()

    def job(self, seconds: float) -> Job:
        """Return another job of this length."""
        number = next(self._count)
        size = int(seconds * SAMPLE_RATE_HZ)
        begin = number * 7919 % (self._pcm.size - size)
        pcm: Pcm16 = self._pcm[begin : begin + size].copy()
        options = Options(language="en", beam_size=1)
        return Job(JobId(f"j{number}"), pcm, options, kind=JobKind.FINAL)


async def hop(transcriber: Transcriber, speech: Speech) -> dict[str, Any]:
    """Return how long an answer takes, without any work, for each length."""
    found: dict[str, Any] = {}
    for audio_s in HOP_AUDIO_S:
        took_ms = []
        for _ in range(WARM_UP_JOBS + HOP_JOBS):
            job = speech.job(audio_s)
            began_at = time.perf_counter()
            await transcriber.transcribe(job)
            took_ms.append((time.perf_counter() - began_at) * 1000)
        p50, p99 = np.percentile(took_ms[WARM_UP_JOBS:], [50, 99])
        found[f"{audio_s:g} s"] = {"p50_ms": round(float(p50), 2), "p99_ms": round(float(p99), 2)}
    return found


async def throughput(transcriber: Transcriber, speech: Speech, workers: int) -> dict[str, Any]:
    """Return the seconds of speech that are done in a second, with enough of them asked for.

    Answers come in batches, so it is counted from the first answer to the last one in time: whole
    batches only.
    """
    ends_at = time.monotonic() + LOAD_S
    done_at: list[float] = []
    took_s: list[float] = []

    async def one() -> None:
        while (began_at := time.monotonic()) < ends_at:
            await transcriber.transcribe(speech.job(LOAD_AUDIO_S))
            done_at.append(time.monotonic())
            took_s.append(done_at[-1] - began_at)

    await asyncio.gather(*(one() for _ in range(AT_ONCE_A_WORKER * workers)))
    counted = [at for at in done_at if at <= ends_at]
    first, last = counted[0] + SAME_BATCH_S, counted[-1]
    jobs = sum(first < at for at in counted)
    return {
        "jobs": jobs,
        "audio_s_per_s": round(jobs * LOAD_AUDIO_S / (last - counted[0]), 2),
        "answer_p50_s": round(float(np.percentile(took_s, 50)), 3),
        "answer_p99_s": round(float(np.percentile(took_s, 99)), 3),
    }


@asynccontextmanager
async def local(folder: Path, settings: dict[str, object]) -> AsyncIterator[Transcriber]:
    """Give a pool in this process."""
    os.environ["PYTHONPATH"] = str(ROOT)
    given = WorkerSettings.model_validate(settings)
    pool = worker_pool(given, engine=str(settings["engine"]), model=str(settings["model"]))
    await pool.start()
    try:
        await pool.wait_ready(READY_LIMIT_S)
        yield pool
    finally:
        await pool.aclose()


@asynccontextmanager
async def remote(
    folder: Path, settings: dict[str, object], nodes: int
) -> AsyncIterator[Transcriber]:
    """Give a gateway's transcriber, and the nodes that it asks."""
    cluster = Cluster(folder, nodes, settings)
    try:
        await asyncio.to_thread(cluster.start)
        transcriber = RemoteTranscriber(
            GatewaySettings(engine_urls=cluster.urls), QueueSettings(), CostModel()
        )
        await transcriber.start()
        try:
            await transcriber.wait_ready(READY_LIMIT_S)
            await asyncio.sleep(2)  # until each address has been looked at
            yield transcriber
        finally:
            await transcriber.aclose()
    finally:
        await asyncio.to_thread(cluster.close)


async def measure(folder: Path, parts: list[str]) -> dict[str, Any]:
    """Measure the parts, each in all places."""
    speech = Speech()
    results: dict[str, Any] = {}
    for part in parts:
        engine: dict[str, object] = {"model": "scripted"}
        if part == "hop":
            engine |= {"engine": SCRIPTED}
        elif part == "engine":
            engine |= {"engine": PACED}
        else:
            engine = {"model": str(ensure_bundled_base(ROOT / ".cache" / "auricle"))}
        settings = {
            "workers": 1,
            "worker_threads": 1,
            "sandbox_folders": (folder, ROOT),
            **engine,
        }
        results[part] = {}
        for number, where in enumerate(WHERE):
            if part == "hop" and where == "2 nodes":
                continue
            place = folder / f"{part}-{number}"
            place.mkdir()
            given = dict(settings)
            opened = local(place, given)
            if number:
                given["sandbox_folders"] = f"{folder},{ROOT}"
                opened = remote(place, given, number)
            async with opened as transcriber:
                measured = (
                    hop(transcriber, speech)
                    if part == "hop"
                    else throughput(transcriber, speech, max(1, number))
                )
                results[part][where] = await measured
            print(f"{part:6} {where:8} {results[part][where]}", flush=True)
    return results


def pictures(results: dict[str, Any]) -> list[Bars]:
    """Return the hop and the throughput as bars."""
    charts = []
    if "hop" in results:
        names = [f"{length} of speech" for length in results["hop"]["local"]]
        series = {
            f"{where} {kind}": [found[f"{kind}_ms"] for found in by_length.values()]
            for where, by_length in results["hop"].items()
            for kind in ("p50", "p99")
        }
        charts.append(Bars("An answer without any work, ms", names, series))
    for part, what in (("engine", "an engine that sleeps"), ("model", "Whisper base, two cores")):
        if part in results:
            rates = [found["audio_s_per_s"] for found in results[part].values()]
            title = f"Seconds of speech done in a second, {what}"
            charts.append(Bars(title, list(results[part]), {"one worker a node": rates}))
    return charts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--merge", action="store_true", help="into what --out holds already")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/cluster_hop")
    arguments = parser.parse_args()
    namespace.enter("research.cluster_hop", sys.argv[1:])
    print(machine())
    os.environ["AURICLE_BENCH_ENGINE"] = SCRIPTED
    os.environ["AURICLE_BENCH_PACE"] = str(PACE)
    with tempfile.TemporaryDirectory(prefix="au-", ignore_cleanup_errors=True) as folder:
        os.environ["AURICLE_BENCH_FAULTS"] = folder
        results = asyncio.run(measure(Path(folder), arguments.only.split(",")))
    path = arguments.out.with_suffix(".json")
    if arguments.merge and path.exists():
        results = json.loads(path.read_text()) | results
    write_json(path, {**results, "machine": machine()})
    draw(
        arguments.out.with_suffix(".svg"),
        "A recogniser elsewhere, and two of them",
        pictures(results),
    )


if __name__ == "__main__":
    main()
