"""Overhead of the worker pool: jobs through a real worker whose engine returns at once.

    python -m bench.ipc [--runs 1000]

The overhead is the time from ``transcribe`` to its result: scheduling, both directions of the pipe,
parsing and validation in the child, and waking the caller. One job at a time, so no job waits.
"""

import asyncio
import os
import time

import numpy as np

from auricle.config.sections.worker import WorkerSettings
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId
from bench.lib.posting import percentiles
from bench.lib.report import ROOT, command_line, publish, show_targets
from tests.support.pool import worker_pool

LENGTHS_S = (1, 10, 30)
TARGET_P99_MS = 5.0
"""For 30 s of audio."""


async def measure(runs: int) -> dict[str, dict[str, float]]:
    os.environ["PYTHONPATH"] = str(ROOT)
    pool = worker_pool(WorkerSettings(workers=1))
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
        figures[f"{seconds} s"] = percentiles(taken_ms, 2) or {}
        print(f"{seconds:3} s of audio: {figures[f'{seconds} s']} ms")
    await pool.aclose()
    return figures


def main() -> None:
    parser = command_line(__doc__, "ipc")
    parser.add_argument("--runs", type=int, default=1000, help="jobs of each length")
    arguments = parser.parse_args()
    figures = asyncio.run(measure(arguments.runs))
    publish(arguments.out, {"runs": arguments.runs, "overhead_ms": figures})
    target = f"overhead for 30 s of audio at most {TARGET_P99_MS:g} ms (p99)"
    show_targets({target: figures["30 s"]["p99"] <= TARGET_P99_MS})


if __name__ == "__main__":
    main()
