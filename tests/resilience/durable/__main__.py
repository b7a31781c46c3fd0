"""Whatever was accepted is kept: jobs and live streams while every process is killed.

    python -m tests.resilience.durable [--form scripted|model] [--database sqlite|postgres]
                                       [--minutes 30] [--jobs 200] [--every 20]

Jobs of 5 s to 10 min are sent while four live streams speak. Every 20 s a process receives SIGKILL,
in turn a gateway, a worker and PostgreSQL, and is started again. With PostgreSQL two gateways share
the database and the directory of audio.

*scripted*: the engine returns a checksum of the samples that it received. *model*: Whisper base.

First every recording is sent once without faults. Then every accepted job has to end with the same
text, its webhook has to arrive with one event id, although the receiver refuses a quarter of the
requests, the finals of every live stream have to arrive once, and each final that a client received
has to be in the transcripts that the server keeps. All this is read after a last restart.
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.lib.report import ROOT, machine, publish
from tests.resilience.chaos.recordings import Recording, make_recording, short_clips
from tests.resilience.durable import verdict
from tests.resilience.durable.jobs import JobClient, SentJob
from tests.resilience.durable.live import (
    KeptFigures,
    LiveStream,
    compare_kept,
    kept_transcripts,
)
from tests.resilience.durable.stage import (
    BRIEF_PACE,
    JOBS,
    PACE,
    Killer,
    Stage,
    live_key,
    staged,
)
from tests.resilience.durable.webhooks import answer_in_turn, webhook_figures

LENGTHS, MIN_S, MAX_S, BRIEF_MAX_S = 10, 5.0, 600.0, 30.0
PAUSES = 1.2
"""Length of a recording relative to the speech in it."""
LIVE_S, BRIEF_LIVE_S = 14.0, 7.0
OFFERED = 0.8
"""Fraction of the time in which the jobs are sent."""
PATIENCE_S = 1800.0
"""Time limit for the last job after the last kill."""
WEBHOOKS_S = 300.0
"""Time limit for the webhooks after the last restart; an attempt that was killed lasts a minute."""
AUDIO_LIMIT_S = 100.0
"""Orphans are looked for at the start and every minute."""
BRIEF_S = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of a run."""

    form: str
    database: str
    gateways: int
    seconds: float
    jobs: int
    streams: int
    every_s: float
    seed: int

    @property
    def is_scripted(self) -> bool:
        """Whether the engine is scripted."""
        return self.form == "scripted"

    @property
    def pace(self) -> float | None:
        """Time that the scripted engine takes, as a fraction of the speech."""
        if not self.is_scripted:
            return None
        return BRIEF_PACE if self.is_brief else PACE

    @property
    def is_brief(self) -> bool:
        """Whether it is a check rather than a measurement."""
        return self.seconds < BRIEF_S


def job_recordings(plan: Plan) -> list[Recording]:
    """Return recordings of 5 s to 10 min, each longer than the last by the same factor."""
    clips = short_clips(with_real_speech=not plan.is_scripted)
    lengths_s = np.geomspace(MIN_S, BRIEF_MAX_S if plan.is_brief else MAX_S, LENGTHS)
    return [
        make_recording(f"job {number}", clips, float(length_s) / PAUSES - MIN_S / 2, number)
        for number, length_s in enumerate(lengths_s)
    ]


def live_recordings(plan: Plan) -> list[Recording]:
    clips = short_clips(with_real_speech=not plan.is_scripted)
    length_s = BRIEF_LIVE_S if plan.is_brief else LIVE_S
    return [make_recording(f"live {n}", clips, length_s, 100 + n) for n in range(plan.streams)]


def live_streams(plan: Plan, stage: Stage) -> list[LiveStream]:
    urls = stage.urls
    return [
        LiveStream(number, urls[number % len(urls)], stage.keys[live_key(number)], recording)
        for number, recording in enumerate(live_recordings(plan))
    ]


async def run(plan: Plan, stage: Stage, out: Path) -> dict[str, Any]:
    """Run all parts, and return the figures."""
    dice = random.Random(plan.seed)
    recordings, streams = job_recordings(plan), live_streams(plan, stage)
    async with JobClient(stage.urls, stage.keys[JOBS]) as calm_client:
        print("every recording once, without faults", flush=True)
        calm_jobs, calm_audio_s = await transcribe_each(calm_client, recordings, stage)
    await asyncio.gather(*(stream.once() for stream in streams))
    texts = {job.recording.name: job.text for job in calm_jobs}
    calm = {stream.number: stream.takes.pop().take for stream in streams if stream.takes}
    if len(calm) < plan.streams or not all([*texts.values(), *(one.text for one in calm.values())]):
        raise SystemExit("a recording has no text without faults")
    before_s = stage.begun_audio_s()

    order = [recordings[number % len(recordings)] for number in range(plan.jobs)]
    dice.shuffle(order)
    jobs = [SentJob(f"job-{number}", recording) for number, recording in enumerate(order)]
    began_at, killer = time.time(), Killer(stage, dice)
    receiver = stage.receiver
    answer_in_turn(receiver, plan.jobs)
    async with JobClient(stage.urls, stage.keys[JOBS], receiver.url()) as client:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(client.watch())
            progress = group.create_task(print_progress(client, killer, streams, began_at))
            killing = group.create_task(killer.run(plan.every_s, plan.seconds))
            speaking = [group.create_task(stream.repeat(plan.seconds)) for stream in streams]
            await client.offer(jobs, OFFERED * plan.seconds)
            await asyncio.gather(killing, *speaking)
            watching.cancel()
            await client.wait_ended(PATIENCE_S)
            progress.cancel()
        took_s = time.time() - began_at
        await asyncio.to_thread(restart, stage)
        audio_left = await asyncio.to_thread(wait_audio_deleted, stage)
        await client.fetch(webhooks_s=WEBHOOKS_S)
        kept = await compare_all_kept(plan, stage, streams)
    takes = [one for stream in streams for one in stream.takes]
    results = {
        "plan": asdict(plan),
        "took_s": round(took_s, 1),
        "kills": dict(Counter(kind for _, kind in killer.applied)),
        "jobs": verdict.job_figures(jobs, texts),
        "webhooks": webhook_figures(jobs, [body for _, _, body in receiver.requests]),
        "jobs_lost": sorted(client.lost),
        "jobs_changed": sorted(client.changed),
        "live": verdict.live_figures(takes, calm),
        "live_failures": [line for stream in streams for line in stream.failures],
        "kept": asdict(kept),
        "repeated_work": repeated_work(
            stage.begun_audio_s() - before_s,
            sum(calm_audio_s[job.recording.name] for job in jobs if job.accepted_at),
        ),
        "audio_left": audio_left,
        "audio_left_limit": len(killer.applied) if stage.postgres else 0,
        "ended_by_themselves": killer.ended,
        "log": verdict.log_figures(
            stage.log_lines(), [*texts.values(), *(one.text for one in calm.values())]
        ),
    }
    held = verdict.conditions(results)
    verdict.show(results)
    title = f"Every process killed every {plan.every_s:g} s ({plan.form}, {plan.database})"
    publish(out, results | {"held": held}, title, verdict.picture(results, jobs, began_at))
    return results | {"held": held}


async def transcribe_each(
    client: JobClient, recordings: Sequence[Recording], stage: Stage
) -> tuple[list[SentJob], dict[str, float]]:
    """Transcribe recordings one after another without faults.

    Returns:
        The jobs with their results, and the audio that the engine began for each recording in
        seconds.
    """
    audio_s: dict[str, float] = {}
    for number, recording in enumerate(recordings):
        before_s = stage.begun_audio_s()
        await client.send(SentJob(f"calm-{number}", recording))
        await client.wait_ended(PATIENCE_S)
        audio_s[recording.name] = stage.begun_audio_s() - before_s
    await client.fetch()
    return client.jobs, audio_s


def repeated_work(begun_s: float, calm_s: float) -> dict[str, float]:
    """Return how much audio was recognised more than once, in seconds."""
    return {
        "audio_begun_s": round(begun_s, 1),
        "audio_without_faults_s": round(calm_s, 1),
        "repeated_s": round(begun_s - calm_s, 1),
        "repeated_percent": round(100 * (begun_s - calm_s) / calm_s, 2),
    }


def restart(stage: Stage) -> None:
    """Stop all gateways and start them again."""
    for gateway in stage.gateways:
        gateway.end(signal.SIGTERM)
        gateway.start()
    for gateway in stage.gateways:
        gateway.wait_ready()


def wait_audio_deleted(stage: Stage) -> int:
    """Wait until no audio of jobs is left; return the number of files that stay.

    Gateways delete an orphan in a directory that they share after a day only.
    """
    deadline = time.monotonic() + (0 if stage.postgres else AUDIO_LIMIT_S)
    while (left := len(list(stage.audio.iterdir()))) and time.monotonic() < deadline:
        time.sleep(1)
    return left


async def compare_all_kept(plan: Plan, stage: Stage, streams: Sequence[LiveStream]) -> KeptFigures:
    """Compare the finals of all streams with the transcripts that the server kept."""
    figures = KeptFigures(0, 0, 0)
    for stream in streams:
        async with JobClient(stage.urls, stream.key) as client:
            figures += compare_kept(stream.takes, await kept_transcripts(client))
    return figures


async def print_progress(
    client: JobClient, killer: Killer, streams: Sequence[LiveStream], began_at: float
) -> None:
    """Print the progress every 30 s."""
    while True:
        accepted = [job for job in client.jobs if job.accepted_at]
        print(
            f"{time.time() - began_at:4.0f} s: {len(killer.applied)} kills, accepted "
            f"{len(accepted)} of {len(client.jobs)} jobs, ended "
            f"{len(accepted) - len(client.unfinished)}, lost {len(client.lost)}; live takes "
            f"{sum(len(stream.takes) for stream in streams)}",
            flush=True,
        )
        await asyncio.sleep(30)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--form", choices=("scripted", "model"), default="scripted")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--gateways", type=int, help="with PostgreSQL (2)")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--every", type=float, default=20.0, help="interval of the kills, in s")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, help="bench/results/durable_FORM_DATABASE")
    given = parser.parse_args()
    gateways = (given.gateways or 2) if given.database == "postgres" else 1
    plan = Plan(
        given.form,
        given.database,
        gateways,
        given.minutes * 60,
        given.jobs,
        given.streams,
        given.every,
        given.seed,
    )
    out = given.out or ROOT / f"bench/results/durable_{plan.form}_{plan.database}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # runs the cleanup
    print(machine())
    with staged(
        ROOT / f"bench/results/{out.name}",
        database=plan.database,
        gateways=plan.gateways,
        streams=plan.streams,
        pace=plan.pace,
    ) as stage:
        results = asyncio.run(run(plan, stage, out))
    for name, is_held in results["held"].items():
        print(f"{name}: {'yes' if is_held else 'NO'}")
    if not all(results["held"].values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
