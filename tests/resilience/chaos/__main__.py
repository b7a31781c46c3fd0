"""All faults at once, under load of every kind of client: does each word arrive, once?

    python -m tests.resilience.chaos [--form scripted|model] [--minutes 10] [--seed 7]

Live streams (Auricle's client on a network that fails, and those of other APIs), utterances, files
and long jobs are sent to one server, at 80 % of its capacity under the same faults. Clients of an
optional API are in ``chaos.py`` among its tests. Meanwhile

- workers, decode workers included, are killed and stopped, have segmentation faults, run out of
  memory and become slow;
- clients disconnect, and the network of the clients that can resume fails;
- the server's wall clock jumps by hours and by a second (libfaketime; its other clocks are true);
- its disk is full for a while (a small tmpfs), and it has no file descriptors left (prlimit).

*scripted*: the engine returns a checksum of the samples that it received, so that each word that is
missing, duplicated or moved shows; 500 faults in ten minutes. *model*: Whisper base, a worker dies
every 5 s, and there is another fault every 9 s.

First every request is sent once without faults. Later each result has to be the same; refused
requests are repeated after Retry-After. In the end no resource may remain in use. The same seed
gives the same faults and the same load.
"""

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2

from bench.lib.charts import draw
from bench.lib.cpu import CpuMeter
from bench.lib.report import ROOT, machine, write_json
from bench.lib.service import READY_LIMIT_S
from tests.resilience.chaos import report, verdict
from tests.resilience.chaos.clients.site import Site
from tests.resilience.chaos.faults import FAULTS, ScheduledFault, World, run_schedule, schedule
from tests.resilience.chaos.load import Load, Outcome
from tests.resilience.chaos.recordings import make_recordings
from tests.resilience.chaos.resources import Count, count, settle
from tests.resilience.chaos.stage import Stage, orphans, staged
from tests.support.network import network_to

SHARE = 0.8
FAULT_EACH_S = 1.1
DEATH_EACH_S, OTHER_EACH_S = 5.0, 9.0
CALIBRATION_S = 60.0
BRIEF_AUDIO_S_PER_S = 15.0
"""Half of the capacity of the scripted workers without faults."""
BRIEF_S = 60.0
"""A shorter run assumes its capacity, and does not check delays."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of a run."""

    form: str
    seconds: float
    seed: int
    is_calm: bool = False

    @property
    def is_scripted(self) -> bool:
        """Whether the engine is scripted."""
        return self.form == "scripted"

    @property
    def is_brief(self) -> bool:
        """Whether it is a check rather than a measurement."""
        return self.seconds < BRIEF_S

    def schedule(
        self, seconds: float, purpose: str, missing: dict[str, str]
    ) -> list[ScheduledFault]:
        """Return the faults of a part of the run, except those that are impossible here."""
        if self.is_calm:
            return []
        dice = random.Random(f"{self.seed} {purpose}")
        possible = {fault: fault.weight for fault in FAULTS if fault.name not in missing}
        if self.is_brief:
            possible = dict.fromkeys(possible, 1)  # at least one of each
        if self.is_scripted:
            return schedule(dice, seconds, FAULT_EACH_S, possible)
        deaths = {fault: weight for fault, weight in possible.items() if fault.kills}
        others = dict.fromkeys((fault for fault in possible if not fault.kills), 1)
        scheduled = schedule(dice, seconds, DEATH_EACH_S, deaths)
        scheduled += schedule(dice, seconds, OTHER_EACH_S, others)
        return sorted(scheduled, key=lambda fault: fault.at_s)


async def run(plan: Plan, stage: Stage, folder: Path) -> dict[str, Any]:
    """Run all parts, and return the figures."""
    service = stage.server
    dice = random.Random(f"{plan.seed} load")
    recordings = make_recordings(is_brief=plan.is_brief, with_real_speech=not plan.is_scripted)
    async with network_to(stage.server.port) as network:
        site = Site(stage.server.port, stage.ports, network.url, stage.keys)
        load = Load(site, recordings, dice)
        world = World(service, load, network, stage.marks, stage.disk, stage.clock)
        print("every request once, without faults", flush=True)
        expected = await load.transcribe_all()
        check_calm(expected)
        watcher = WatcherProcess(stage, folder / "samples")
        try:
            await asyncio.to_thread(watcher.begin)
            before = await wait_idle(service, None)
            print(f"without faults: {len(expected)} texts; {before}", flush=True)
            capacity = await measure(plan, world, stage.missing)
            calibrated = len(load.outcomes)
            offered = SHARE * capacity
            print(f"capacity {capacity:.1f} s of speech per second; offered {offered:.1f}")
            world.applied.clear()
            load.refusals.clear()
            began_at, meter = time.monotonic(), CpuMeter(service.process)
            async with anyio.create_task_group() as group:
                faults = plan.schedule(plan.seconds, "run", stage.missing)
                group.start_soon(run_schedule, world, faults)
                group.start_soon(print_progress, world, began_at, plan.seconds)
                await load.offer(offered, plan.seconds, speakers_each=1)
            cpu = meter.share()
            world.end_faults()
            after = await wait_idle(service, before)
        finally:
            watcher.end()
    samples = verdict.watched(folder / "samples", began_at, world.applied)
    outcomes = load.outcomes[calibrated:]
    return figures(plan, stage, world, expected, outcomes, before, after, samples) | {
        "capacity_audio_s_per_s": round(capacity, 2),
        "offered_audio_s_per_s": round(offered, 2),
        "took_s": round(time.monotonic() - began_at, 1),
        "cpu": cpu.figures(),
    }


def check_calm(expected: dict[tuple[str, str], Outcome]) -> None:
    """End the run if a request fails without faults."""
    for outcome in expected.values():
        if outcome.end != "done" or not outcome.text:
            raise SystemExit(f"{outcome.kind} fails without faults: {outcome}")


async def measure(plan: Plan, world: World, missing: dict[str, str]) -> float:
    """Return the seconds of speech per second that the server transcribes under such faults."""
    if plan.is_brief:
        return BRIEF_AUDIO_S_PER_S
    faults = plan.schedule(CALIBRATION_S, "calibration", missing)
    async with anyio.create_task_group() as group:
        group.start_soon(run_schedule, world, faults)
        capacity = await world.load.closed_loop(CALIBRATION_S)
    return round(capacity, 2)


async def wait_idle(service: Any, before: Count | None) -> Count:
    """Wait until the server is idle, and uses no more resources than before."""
    await asyncio.to_thread(service.wait_ready)
    while before is None and (busy := await asyncio.to_thread(remaining_work, service.url)):
        print(f"  waiting for {busy}")
        await asyncio.sleep(1)
    if before is None:
        return await asyncio.to_thread(count, service)
    return await settle(service, before)


def remaining_work(url: str) -> dict[str, float]:
    """Return the work in progress and the reservations, from the server's metrics."""
    lines = httpx2.get(f"{url}/metrics", timeout=10).text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    values = {name: float(value) for name, value in pairs}
    names = (
        "auricle_waiting_jobs",
        "auricle_running_jobs",
        "auricle_queue_audio_seconds",
        "auricle_reserved_audio_seconds",
        *(name for name in values if name.startswith("auricle_live_sessions")),
    )
    left = {name: values[name] for name in names if values[name]}
    if values["auricle_requests_in_progress"] > 1:  # this one
        left["auricle_requests_in_progress"] = values["auricle_requests_in_progress"] - 1
    return left


async def print_progress(world: World, began_at: float, seconds: float) -> None:
    """Print the progress every 30 s."""
    while (now_s := time.monotonic() - began_at) < seconds:
        ends = Counter(outcome.end for outcome in world.load.outcomes)
        print(
            f"{now_s:4.0f} s: {len(world.applied)} faults, {dict(ends)}, "
            f"running {world.load.running.total()}, refused {world.load.refusals.total()}",
            flush=True,
        )
        await asyncio.sleep(30)


class WatcherProcess:
    """The watcher's process."""

    def __init__(self, stage: Stage, path: Path) -> None:
        self._path = path
        command = [sys.executable, "-m", "tests.resilience.chaos.watcher", stage.server.url]
        pid = str(stage.server.process.pid)
        self._process = subprocess.Popen([*command, pid, str(path)], cwd=ROOT)

    def begin(self) -> None:
        """Wait for its first sample, since its connection is one of the descriptors."""
        deadline = time.monotonic() + READY_LIMIT_S
        while not self._path.is_file() or not self._path.stat().st_size:
            if time.monotonic() > deadline:
                raise SystemExit("the watcher does not start")
            time.sleep(0.1)

    def end(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()


def figures(
    plan: Plan,
    stage: Stage,
    world: World,
    expected: dict[tuple[str, str], Outcome],
    outcomes: list[Outcome],
    before: Count,
    after: Count,
    samples: dict[str, Any],
) -> dict[str, Any]:
    """Return all figures."""
    service = stage.server
    health, history = service.health(), httpx2.get(f"{service.url}/health/history").json()
    kinds = Counter(name for _, name, _ in world.applied)
    results = {
        "faults": len(world.applied),
        "faults_by_kind": dict(kinds.most_common()),
        "not_tried": stage.missing,
        "clients": verdict.by_kind(outcomes, expected),
        "refused": dict(world.load.refusals),
        "unsent": world.load.unsent,
        "wrong": verdict.differences(outcomes, expected),
        "watched": samples,
        "before": asdict(before),
        "after": asdict(after),
        "left_over": remaining_work(service.url),
        "spooled": [str(path) for path in stage.spool.glob("*/*") if path.name != "lock"],
        "jobs": health["jobs"],
        "restarts": sum(worker["restarts"] for worker in health["workers"]),
        "history_exits": len(history["exits"]),
        "log": verdict.log_figures(service.log_lines(), expected),
        "is_running": service.process.is_running(),
    }
    if not plan.is_scripted:
        results["words"] = verdict.word_figures(outcomes, expected)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--form", choices=("scripted", "model"), default="scripted")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--calm", action="store_true", help="the same load without faults")
    parser.add_argument("--out", type=Path, help="bench/results/chaos_FORM")
    arguments = parser.parse_args()
    plan = Plan(arguments.form, arguments.minutes * 60, arguments.seed, arguments.calm)
    out = arguments.out or ROOT / f"bench/results/chaos_{plan.form}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # runs the cleanup
    print(machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = ROOT / f"bench/results/{out.name}.log"
        with staged(log, is_scripted=plan.is_scripted) as stage:
            results = asyncio.run(run(plan, stage, folder))
        left = orphans(set(results["watched"].pop("pids")))
    report.show(results)
    held = verdict.verdicts(results, left, is_scripted=plan.is_scripted, is_brief=plan.is_brief)
    write_json(
        out.with_suffix(".json"),
        {"machine": machine(), "plan": asdict(plan)} | results | {"held": held},
    )
    draw(out.with_suffix(".svg"), f"All faults at once ({plan.form})", report.picture(results))
    for name, is_held in held.items():
        print(f"{name}: {'yes' if is_held else 'NO'}")
    if not all(held.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
