"""How many workers, how many threads in each, how large a batch: on one core and on two.

    python -m research.threads --corpus DIR [--out docs/benchmarks/threads]

Real worker processes through a real pool, held to the cores by affinity. For each layout (workers
x threads): how much waiting speech is worked off in a second, by batch size and beam; how long one
lone utterance takes; and how late finals are when many live streams end theirs whenever they like.
Last, what a job costs by its length, from which the scheduler's overhead of a job follows.
"""

import argparse
import asyncio
import itertools
import logging
import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import structlog

from auricle.config.sections.model import ModelSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.whisper.models.fetch import resolve
from auricle.values.types import (
    LIVE_BEAM_SIZE,
    SAMPLE_RATE_HZ,
    Job,
    JobId,
    JobKind,
    Options,
    Pcm16,
)
from auricle.workers.kinds.asr.pool import WorkerPool
from bench.lib.charts import Bars, draw
from bench.lib.report import machine, write_json
from bench.lib.speech import READ, Clip, corpus, joined, spoken
from tests.support.pool import worker_pool

LAYOUTS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((1, 1), (2, 1)),
    2: ((1, 1), (1, 2), (2, 1), (2, 2)),
}
BATCHES = (1, 4, 8)
BEAMS = (1, 5)
UTTERANCE_S = (3.0, 8.0)
UTTERANCES = 24
LONE_S = (3, 6, 10)
LONE_REPEATS = 3
STREAMS = {1: 12, 2: 24}
PLAY_S = 16.0
PAUSE_S = 0.6
COST_S = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25)
COST_REPEATS = 3
FIT_UP_TO_S = 15


@dataclass(frozen=True, slots=True)
class Speech:
    """What is recognised: utterances of natural length, and some cut to a length."""

    utterances: Sequence[Clip]
    long: Pcm16

    def of_length(self, seconds: float, number: int) -> Pcm16:
        """Return speech of this length, from a different position for each number."""
        samples = int(seconds * SAMPLE_RATE_HZ)
        start = number * 7 * SAMPLE_RATE_HZ % (self.long.size - samples)
        return self.long[start : start + samples]


def load_speech(directory: Path) -> Speech:
    read = [clip for clip in corpus(directory) if clip.kind == READ]
    shortest_s, longest_s = UTTERANCE_S
    fitting = [c for c in [*read, *spoken()] if shortest_s <= c.seconds <= longest_s]
    utterances = [c for c, _ in zip(itertools.cycle(fitting), range(UTTERANCES), strict=False)]
    return Speech(utterances, joined(read, (0.2,))[0])


@asynccontextmanager
async def running(workers: int, threads: int, batch_jobs: int, model: str) -> AsyncIterator[Any]:
    """Run a pool until the block ends; all of its workers are ready before it begins."""
    pool = worker_pool(
        WorkerSettings(workers=workers, worker_threads=threads, batch_jobs=batch_jobs),
        QueueSettings(queue_audio_s=100_000, queue_jobs=10_000, file_workers=workers),
        engine="whisper",
        model=model,
    )
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    await pool.start()
    try:
        await pool.wait_ready(60)
        while any(worker.state != "ready" for worker in pool.stats().workers):  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # what is waited for has no event
        yield pool
    finally:
        await pool.aclose()


_numbers = itertools.count()


async def hear(
    pool: WorkerPool, pcm: Pcm16, beam_size: int, kind: JobKind = JobKind.FINAL
) -> float:
    """Return how long a job takes; of files alone the scheduler fills batches of any size."""
    options = Options(language="en", beam_size=beam_size)
    began_at = time.perf_counter()
    await pool.transcribe(Job(JobId(f"job-{next(_numbers)}"), pcm, options, kind))
    return time.perf_counter() - began_at


async def throughput(pool: WorkerPool, clips: Sequence[Clip], beam_size: int) -> float:
    """Return the seconds of audio that are worked off in a second, all of it waiting at once."""
    began_at = time.perf_counter()
    await asyncio.gather(*(hear(pool, clip.pcm, beam_size, JobKind.FILE) for clip in clips))
    return sum(clip.seconds for clip in clips) / (time.perf_counter() - began_at)


async def lone(pool: WorkerPool, speech: Speech, seconds: float, beam_size: int) -> float:
    """Return how long one utterance takes while nothing else runs: the median."""
    pieces = [speech.of_length(seconds, number) for number in range(LONE_REPEATS)]
    return float(np.median([await hear(pool, piece, beam_size) for piece in pieces]))


async def live(pool: WorkerPool, speech: Speech, streams: int) -> dict[str, float]:
    """Return the delay of finals for a number of streams without pauses."""
    chance = random.Random(1)
    beam_size = LIVE_BEAM_SIZE
    took_s: list[float] = []
    ends_at = time.perf_counter() + PLAY_S

    async def speak() -> None:
        await asyncio.sleep(chance.uniform(0, UTTERANCE_S[0]))
        while time.perf_counter() < ends_at:
            clip = chance.choice(speech.utterances)
            took_s.append(await hear(pool, clip.pcm, beam_size))
            await asyncio.sleep(max(0.0, clip.seconds + PAUSE_S - took_s[-1]))

    await asyncio.gather(*(speak() for _ in range(streams)))
    p50, p95 = np.percentile(took_s, [50, 95])
    return {"finals": len(took_s), "p50_s": round(float(p50), 3), "p95_s": round(float(p95), 3)}


class Neighbours:
    """How much of the machine others take meanwhile: after more than a little, measure again."""

    def __init__(self) -> None:
        self._began_s, self._own_s, self._at = self._busy_s(), own_cpu_s(), time.perf_counter()

    def share(self) -> float:
        """Return the cores that others used since the beginning, on average."""
        others_s = self._busy_s() - self._began_s - (own_cpu_s() - self._own_s)
        return round(max(0.0, others_s / (time.perf_counter() - self._at)), 2)

    def _busy_s(self) -> float:
        times = psutil.cpu_times()
        return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


def own_cpu_s() -> float:
    """Return our CPU time and that of the workers that have ended."""
    times = psutil.Process().cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


async def measure(cores: int, layout: tuple[int, int], speech: Speech, model: str) -> Any:
    """Return all figures of one layout."""
    workers, threads = layout
    result: dict[str, Any] = {"cores": cores, "workers": workers, "threads": threads}
    neighbours = Neighbours()
    result["audio_s_per_s"] = {}
    for batch_jobs in BATCHES:
        async with running(workers, threads, batch_jobs, model) as pool:
            for beam_size in BEAMS:
                rate = await throughput(pool, speech.utterances, beam_size)
                result["audio_s_per_s"][f"beam {beam_size}, batch {batch_jobs}"] = round(rate, 1)
            if batch_jobs == max(BATCHES):
                result["lone_s"] = {
                    f"beam {beam_size}, {seconds} s": round(
                        await lone(pool, speech, seconds, beam_size), 3
                    )
                    for beam_size in BEAMS
                    for seconds in LONE_S
                }
                result["live"] = await live(pool, speech, STREAMS[cores])
    result["others_cores"] = neighbours.share()
    return result


async def costs(speech: Speech, model: str) -> dict[str, Any]:
    """Return the seconds that a job takes alone and in a full batch, by its length."""
    alone: dict[float, float] = {}
    shared: dict[float, float] = {}
    async with running(1, 1, max(BATCHES), model) as pool:
        for seconds in COST_S:
            pieces = [speech.of_length(seconds, number) for number in range(max(BATCHES))]
            alone[seconds] = float(
                np.median([await hear(pool, piece, 1) for piece in pieces[:COST_REPEATS]])
            )
            blocker = asyncio.create_task(hear(pool, pieces[0][:SAMPLE_RATE_HZ], 1))
            await asyncio.sleep(0.01)  # while it runs the others gather into one batch
            rest = [asyncio.create_task(hear(pool, p, 1, JobKind.FILE)) for p in pieces]
            await blocker
            began_at = time.perf_counter()
            await asyncio.gather(*rest)
            shared[seconds] = (time.perf_counter() - began_at) / len(pieces)
    return {"alone": fitted(alone), "in a full batch": fitted(shared)}


def fitted(took_s: dict[float, float]) -> dict[str, Any]:
    """Return a line through the figures: what a job costs besides its audio, in seconds of audio.

    Each length's error counts in parts of what it takes; longer jobs are decoded in several ways.
    """
    usual_s = {seconds: value for seconds, value in took_s.items() if seconds <= FIT_UP_TO_S}
    lengths_s, values_s = np.array(list(usual_s)), np.array(list(usual_s.values()))
    slope, constant = np.polyfit(lengths_s, values_s, 1, w=1 / values_s)
    return {
        "took_s": {f"{seconds:g}": round(value, 3) for seconds, value in took_s.items()},
        "seconds_per_audio_s": round(float(slope), 4),
        "overhead_audio_s": round(float(constant / slope), 1),
    }


def show(result: dict[str, Any]) -> None:
    print(f"\n{name_of(result)}")
    for what in ("audio_s_per_s", "lone_s", "live"):
        print(f"  {what:14}", ", ".join(f"{k}: {v:g}" for k, v in result[what].items()))
    print(f"  others used {result['others_cores']} cores meanwhile", flush=True)


def name_of(result: dict[str, Any]) -> str:
    cores, workers, threads = (result[key] for key in ("cores", "workers", "threads"))
    return f"{cores} core{'s' * (cores > 1)}: {workers} x {threads} thread{'s' * (threads > 1)}"


def picture(results: Sequence[dict[str, Any]]) -> Iterable[Bars]:
    names = [name_of(result) for result in results]
    for beam_size in BEAMS:
        yield Bars(
            f"Seconds of audio worked off in a second, beam {beam_size}",
            names,
            {
                f"batch {batch}": [
                    r["audio_s_per_s"][f"beam {beam_size}, batch {batch}"] for r in results
                ]
                for batch in BATCHES
            },
        )
    yield Bars(
        "Seconds until one lone utterance is there, beam 1",
        names,
        {f"of {s} s": [r["lone_s"][f"beam 1, {s} s"] for r in results] for s in LONE_S},
    )
    yield Bars(
        "Seconds until a final is there, "
        + " and ".join(f"{n} streams on {c} core{'s' * (c > 1)}" for c, n in STREAMS.items()),
        names,
        {
            "p50": [r["live"]["p50_s"] for r in results],
            "p95": [r["live"]["p95_s"] for r in results],
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--cores", type=int, nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--out", type=Path, help="path of the JSON and SVG, without suffix")
    arguments = parser.parse_args()
    speech, model = load_speech(arguments.corpus), resolve(ModelSettings())
    process = psutil.Process()
    everywhere = process.cpu_affinity()
    results: list[dict[str, Any]] = []
    for cores in arguments.cores:
        process.cpu_affinity(everywhere[:cores])
        for layout in LAYOUTS[cores]:
            results.append(asyncio.run(measure(cores, layout, speech, model)))
            show(results[-1])
    process.cpu_affinity(everywhere)
    cost = asyncio.run(costs(speech, model))
    print("\nwhat a job costs", cost)
    print(machine())
    if arguments.out:
        write_json(
            arguments.out.with_suffix(".json"),
            {"machine": machine(), "layouts": results, "costs": cost},
        )
        draw(arguments.out.with_suffix(".svg"), "Workers, threads and batches", [*picture(results)])


if __name__ == "__main__":
    main()
