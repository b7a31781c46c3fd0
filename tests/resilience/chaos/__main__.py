"""Everything at once while everything fails: is every word there, once, and the server as it was?

    python -m tests.resilience.chaos [--form scripted|model] [--minutes 10] [--seed 7]

Live streams (our own client's over a network that fails, OpenAI's Realtime, Deepgram's, Wyoming's),
utterances, OpenAI's and Deepgram's files and long jobs are asked of one server, at 80 % of what it
can do under the same faults. Meanwhile

- workers are killed, stopped, segfault, run out of memory and are slowed; decode workers, too;
- clients leave in the middle of it, and the network of those who can resume goes away;
- the server's wall clock jumps by hours and by a second (libfaketime; its other clocks are true);
- its disk is full for a while (a small tmpfs), and it has no file descriptor left (prlimit).

*scripted*: the engine answers with a checksum of the samples that it was given, so each word that
is missing, doubled or moved shows; some 500 faults in ten minutes. *model*: Whisper base, a worker
dies each 5 s, and something else happens each 9 s.

In peace everything is asked once. Later each answer has to be the same, whatever happens; what is
refused comes again when the server says so. In the end nothing may be left over. A seed gives the
same faults and the same load again.
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
from tests.resilience.chaos.faults import FAULTS, Stroke, World, carry_out, schedule
from tests.resilience.chaos.load import Load, Outcome
from tests.resilience.chaos.resources import Count, count, settle
from tests.resilience.chaos.said import repertoire
from tests.resilience.chaos.stage import Stage, orphans, staged
from tests.support.network import network_to

SHARE = 0.8
FAULT_EACH_S = 1.1
DEATH_EACH_S, OTHER_EACH_S = 5.0, 9.0
CALIBRATION_S = 60.0
BRIEF_AUDIO_S_PER_S = 15.0
"""Half of what the scripted workers could do, were they left alone: so little is left by as many
faults."""
BRIEF_S = 60.0
"""A shorter run says less, takes its capacity as given, and promises nothing about delays."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to be."""

    form: str
    seconds: float
    seed: int
    is_calm: bool = False

    @property
    def is_scripted(self) -> bool:
        """Whether the engine only pretends."""
        return self.form == "scripted"

    @property
    def is_brief(self) -> bool:
        """Whether it is a check rather than a measurement."""
        return self.seconds < BRIEF_S

    def strokes(self, seconds: float, purpose: str, missing: dict[str, str]) -> list[Stroke]:
        """Return the faults of a part of the run; those that can't be tried here are left out."""
        if self.is_calm:
            return []
        dice = random.Random(f"{self.seed} {purpose}")
        possible = {fault: fault.weight for fault in FAULTS if fault.name not in missing}
        if self.is_brief:
            possible = dict.fromkeys(possible, 1)  # so that there is one of each
        if self.is_scripted:
            return schedule(dice, seconds, FAULT_EACH_S, possible)
        deaths = {fault: weight for fault, weight in possible.items() if fault.kills}
        others = dict.fromkeys((fault for fault in possible if not fault.kills), 1)
        strokes = schedule(dice, seconds, DEATH_EACH_S, deaths)
        strokes += schedule(dice, seconds, OTHER_EACH_S, others)
        return sorted(strokes, key=lambda stroke: stroke.at_s)


async def play(plan: Plan, stage: Stage, folder: Path) -> dict[str, Any]:
    """Run it all, and return the figures."""
    service = stage.server
    dice = random.Random(f"{plan.seed} load")
    said = repertoire(is_brief=plan.is_brief, with_real_speech=not plan.is_scripted)
    async with network_to(stage.server.port) as network:
        site = Site(stage.server.port, stage.wyoming_port, network.url, stage.keys)
        load = Load(site, said, dice)
        world = World(service, load, network, stage.marks, stage.disk, stage.clock)
        print("everything once, in peace", flush=True)
        expected = await load.each_once()
        check_peace(expected)
        watcher = Watching(stage, folder / "looks")
        try:
            await asyncio.to_thread(watcher.begin)
            before = await rest(service, None)
            print(f"in peace: {len(expected)} texts; {before}", flush=True)
            capacity = await measure(plan, world, stage.missing)
            calibrated = len(load.outcomes)
            offered = SHARE * capacity
            print(f"capacity {capacity:.1f} s of speech a second; offered {offered:.1f}")
            world.inflicted.clear()
            load.refusals.clear()
            began_at, meter = time.monotonic(), CpuMeter(service.process)
            async with anyio.create_task_group() as group:
                strokes = plan.strokes(plan.seconds, "run", stage.missing)
                group.start_soon(carry_out, world, strokes)
                group.start_soon(tell, world, began_at, plan.seconds)
                await load.offer(offered, plan.seconds, speakers_each=1)
            cpu = meter.share()
            world.relieve()
            after = await rest(service, before)
        finally:
            watcher.end()
    looks = verdict.watched(folder / "looks", began_at, world.inflicted)
    outcomes = load.outcomes[calibrated:]
    return figures(plan, stage, world, expected, outcomes, before, after, looks) | {
        "capacity_audio_s_per_s": round(capacity, 2),
        "offered_audio_s_per_s": round(offered, 2),
        "took_s": round(time.monotonic() - began_at, 1),
        "cpu": cpu.figures(),
    }


def check_peace(expected: dict[tuple[str, str], Outcome]) -> None:
    """End the run if there is something wrong before anything goes wrong."""
    for outcome in expected.values():
        if outcome.end != "done" or not outcome.text:
            raise SystemExit(f"{outcome.kind} is broken in peace: {outcome}")


async def measure(plan: Plan, world: World, missing: dict[str, str]) -> float:
    """Return how much speech the server works off under such faults."""
    if plan.is_brief:
        return BRIEF_AUDIO_S_PER_S
    strokes = plan.strokes(CALIBRATION_S, "calibration", missing)
    async with anyio.create_task_group() as group:
        group.start_soon(carry_out, world, strokes)
        capacity = await world.load.flat_out(CALIBRATION_S)
    return round(capacity, 2)


async def rest(service: Any, before: Count | None) -> Count:
    """Wait until nothing is being worked on, and the counts are as before."""
    await asyncio.to_thread(service.wait_ready)
    while before is None and (busy := await asyncio.to_thread(work, service.url)):
        print(f"  at rest but for {busy}")
        await asyncio.sleep(1)
    if before is None:
        return await asyncio.to_thread(count, service)
    return await settle(service, before)


def work(url: str) -> dict[str, float]:
    """Return what the server says that it still works on or keeps room for."""
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


async def tell(world: World, began_at: float, seconds: float) -> None:
    """Say now and then how far it is."""
    while (now_s := time.monotonic() - began_at) < seconds:
        ends = Counter(outcome.end for outcome in world.load.outcomes)
        print(
            f"{now_s:4.0f} s: {len(world.inflicted)} faults, {dict(ends)}, "
            f"running {world.load.running.total()}, refused {world.load.refusals.total()}",
            flush=True,
        )
        await asyncio.sleep(30)


class Watching:
    """The watcher's process."""

    def __init__(self, stage: Stage, path: Path) -> None:
        self._path = path
        command = [sys.executable, "-m", "tests.resilience.chaos.watcher", stage.server.url]
        pid = str(stage.server.process.pid)
        self._process = subprocess.Popen([*command, pid, str(path)], cwd=ROOT)

    def begin(self) -> None:
        """Wait for its first look: its connection is one of the descriptors."""
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
    looks: dict[str, Any],
) -> dict[str, Any]:
    """Return all that is to be told."""
    service = stage.server
    health, history = service.health(), httpx2.get(f"{service.url}/health/history").json()
    kinds = Counter(name for _, name, _ in world.inflicted)
    told = {
        "faults": len(world.inflicted),
        "faults_by_kind": dict(kinds.most_common()),
        "not_tried": stage.missing,
        "clients": verdict.by_kind(outcomes, expected),
        "refused": dict(world.load.refusals),
        "unsent": world.load.unsent,
        "wrong": verdict.differences(outcomes, expected),
        "watched": looks,
        "before": asdict(before),
        "after": asdict(after),
        "left_over": work(service.url),
        "spooled": [str(path) for path in stage.spool.glob("*/*") if path.name != "lock"],
        "jobs": health["jobs"],
        "restarts": sum(worker["restarts"] for worker in health["workers"]),
        "history_exits": len(history["exits"]),
        "log": verdict.log_figures(service.log_lines(), expected),
        "is_running": service.process.is_running(),
    }
    if not plan.is_scripted:
        told["words"] = verdict.word_figures(outcomes, expected)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--form", choices=("scripted", "model"), default="scripted")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--calm", action="store_true", help="the same load without any fault")
    parser.add_argument("--out", type=Path, help="bench/results/chaos_FORM")
    arguments = parser.parse_args()
    plan = Plan(arguments.form, arguments.minutes * 60, arguments.seed, arguments.calm)
    out = arguments.out or ROOT / f"bench/results/chaos_{plan.form}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left behind
    print(machine())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = ROOT / f"bench/results/{out.name}.log"
        with staged(log, is_scripted=plan.is_scripted) as stage:
            told = asyncio.run(play(plan, stage, folder))
        left = orphans(set(told["watched"].pop("pids")))
    report.show(told)
    held = verdict.verdicts(told, left, is_scripted=plan.is_scripted, is_brief=plan.is_brief)
    write_json(
        out.with_suffix(".json"),
        {"machine": machine(), "plan": asdict(plan)} | told | {"held": held},
    )
    draw(out.with_suffix(".svg"), f"Everything fails at once ({plan.form})", report.picture(told))
    for name, is_held in held.items():
        print(f"{name}: {'yes' if is_held else 'NO'}")
    if not all(held.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
