"""What the pool itself costs: jobs through real worker processes whose engine answers at once.

Overhead is the time from ``transcribe`` to its answer: scheduling, both directions of the pipe, the
child's parsing, checking and waking the caller. One job at a time, so nothing waits.
"""

import argparse
import asyncio
import os
import time
from pathlib import Path

import numpy as np

from auricle.config.settings import ModelSettings, QueueSettings, WorkerSettings
from auricle.types import SAMPLE_RATE_HZ, Job, JobId
from auricle.workers.asr.pool import WorkerPool
from bench.report import machine, write_json
from bench.service import ROOT

LENGTHS_S = (1, 10, 30)
TARGET_P99_MS = 5.0
"""For 30 s of audio."""


async def measure(runs: int) -> dict[str, dict[str, float]]:
    os.environ["PYTHONPATH"] = str(ROOT)
    pool = WorkerPool(
        WorkerSettings(workers=1),
        QueueSettings(),
        ModelSettings(engine="tests.support.scripted_engine:load"),
        "scripted",
    )
    await pool.start()
    await pool.wait_ready(60)
    figures = {}
    for seconds in LENGTHS_S:
        pcm = np.random.default_rng(1).integers(-3000, 3000, seconds * SAMPLE_RATE_HZ, np.int16)
        taken_ms = []
        for n in range(runs + 20):
            began = time.perf_counter()
            transcript = await pool.transcribe(Job(JobId(f"j{n}"), pcm))
            elapsed_ms = (time.perf_counter() - began) * 1000
            if n >= 20:  # the first ones warm caches and pipes up
                taken_ms.append(elapsed_ms - transcript.timing.asr_ms)
        p50, p95, p99 = np.percentile(taken_ms, [50, 95, 99])
        figures[f"{seconds} s"] = {
            "p50_ms": round(p50, 2),
            "p95_ms": round(p95, 2),
            "p99_ms": round(p99, 2),
        }
        print(f"{seconds:3} s of audio: p50 {p50:5.2f}  p95 {p95:5.2f}  p99 {p99:5.2f} ms")
    await pool.aclose()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="jobs of each length")
    parser.add_argument("--json", type=Path, default=ROOT / "bench/results/ipc.json")
    arguments = parser.parse_args()
    print(machine())
    figures = asyncio.run(measure(arguments.runs))
    p99_ms = figures["30 s"]["p99_ms"]
    verdict = "reached" if p99_ms <= TARGET_P99_MS else "NOT reached"
    print(f"target for 30 s, p99 at most {TARGET_P99_MS} ms: {verdict} ({p99_ms} ms)")
    write_json(arguments.json, {"machine": machine(), "runs": arguments.runs, "overhead": figures})


if __name__ == "__main__":
    main()
