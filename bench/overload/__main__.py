"""More work than the service can do: what is refused, how soon, and what still gets done.

    python -m bench.overload [--short] [--only utterances] [--out docs/benchmarks/overload]

For utterances, files and live sessions each:

**Capacity** is what a closed loop gets done that keeps all batches full (16 clients with
utterances, 4 with files of half a minute). Live speech can't be hurried: its capacity is how many
seconds a second both cores could do at what 48 streams at once cost of them.

**Levels**: an open loop offers 1, 2, 5 and 20 times that (Poisson arrivals, nobody waits for
anybody), with four keys, so that all of the queue is used. Goodput is the seconds of audio done in
a second once the queue is full. In the middle of level 5 some clients come who obey ``Retry-After``
until they are let in. ``/livez`` is asked ten times a second. Beside level 20 of
utterances, headers alone are sent, without a byte of the body that they announce.

**Fairness**: a modest key offers a quarter of capacity, first alone, then beside a greedy one that
offers five times of it.

Time to refusal runs from the request's first byte to the whole answer. The generator runs on the
same cores as the server; how late its own loop is, which is part of every time, is in the figures.
So is its CPU time: what it takes of the cores the workers can't have. What is possible at a level
is the capacity less that, as a share of the cores that were left while the capacity was measured.
"""

import argparse
import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from auricle.types import SAMPLE_RATE_HZ
from bench.cpu_share import CpuMeter, CpuShare
from bench.live_chaos import speeches
from bench.overload.figures import fairness_targets, key_figures, level_figures, level_targets
from bench.overload.flood import flood
from bench.overload.live import Sessions, talk
from bench.overload.work import Posting, Work
from bench.posting import Client, bodies
from bench.report import Bars, draw, machine, write_json
from bench.service import CORPUS, ROOT, Service, serve
from bench.soak.mix import files
from bench.soak.watch import service_cpu_s

WORKERS = 2
LEVELS = (1.0, 2.0, 5.0, 20.0)
SHORT_LEVELS = (5.0,)
PATIENT_LEVEL, PATIENT = 5.0, 6
PROBED_LEVEL = 20.0
"""At which there is no room for a moment."""
GREEDY, MODEST = "greedy", "modest"
SETTINGS: Mapping[str, Any] = {"address_connections": 0, "max_sessions_per_address": 0}
"""All clients have one address here; what a single address may have is not what is measured."""
TENANTS = ("anna", "ben", "cleo", "dora")
KEYS = {name: f"bench-key-of-{name}" for name in (*TENANTS, GREEDY, MODEST)}
GREEDY_LEVEL, MODEST_LEVEL = 5.0, 0.25
CALM_S = 12.0
FULL_CLIENTS = {"utterances": 16, "files": 4}
FULL_STREAMS = 48
"""So many that no worker has time for guesses: what finals alone cost is the capacity."""
FILE_S = (35.0, 35.0, 35.0)
TALK_S, TALKS = 8.0, 4
SHORT = 0.6
"""Of the time that each level takes otherwise."""


@dataclass(frozen=True)
class Bench:
    """A server, and how it is asked."""

    service: Service
    client: Client

    async def capacity(self, work: Work) -> tuple[float, CpuShare]:
        """Return how many seconds of audio a second are done at most, and who used the cores."""
        before_s, began_at = service_cpu_s(self.service), time.monotonic()
        meter = CpuMeter(self.service.process)
        if isinstance(work, Sessions):
            keys = itertools.cycle(TENANTS)
            asked = [work.do(KEYS[next(keys)]) for _ in range(FULL_STREAMS)]
            done_s = sum(one.audio_s for one in await asyncio.gather(*asked) if one.is_done)
            cores = psutil.cpu_count() or 1
            all_cores = CpuShare(cores, generator=0.0)
            return cores * done_s / (service_cpu_s(self.service) - before_s), all_cores
        done_s, last_at = 0.0, began_at

        async def one_client(key: str) -> None:
            nonlocal done_s, last_at
            while time.monotonic() < began_at + CALM_S:
                outcome = await work.do(key)
                if outcome.is_done:
                    done_s, last_at = done_s + outcome.audio_s, outcome.ended_at

        keys = itertools.cycle(TENANTS)
        clients = range(FULL_CLIENTS[work.name])
        await asyncio.gather(*(one_client(KEYS[next(keys)]) for _ in clients))
        if not done_s:
            raise RuntimeError(f"no {work.name} are answered without overload")
        return done_s / (last_at - began_at), meter.share()

    async def measure(
        self, work: Work, levels: Sequence[float], scale: float, *, with_fairness: bool = True
    ) -> dict[str, Any]:
        """Return all there is to know of one kind of work.

        Args:
            work: Its kind.
            levels: Times of capacity.
            scale: Of how long each level takes.
            with_fairness: Whether to measure a modest key beside a greedy one.
        """
        await work.hear_all(KEYS[TENANTS[0]])
        capacity, measured = await self.capacity(work)
        print(
            f"\n{work.name}: capacity {capacity:.1f} s of audio a second {measured.figures()}",
            flush=True,
        )
        shown = []
        for level in levels:
            shown.append(await self._level(work, capacity, measured, level, scale))
            print(f"  {shown[-1]}", flush=True)
        fairness = await self._fairness(work, capacity, scale) if with_fairness else {}
        for name, one in fairness.items():
            print(f"  {name}: {one}", flush=True)
        reached = level_targets(shown) | (fairness_targets(fairness) if fairness else {})
        return {
            "capacity_audio_s_per_s": round(capacity, 2),
            "capacity_cpu": measured.figures(),
            "levels": shown,
            "fairness": fairness,
            "reached": reached,
        }

    async def _level(
        self, work: Work, capacity: float, measured: CpuShare, level: float, scale: float
    ) -> dict[str, Any]:
        rate_per_s = level * capacity / work.audio_s / len(TENANTS)
        load = await flood(
            work,
            self.client,
            {KEYS[name]: rate_per_s for name in TENANTS},
            work.settle_s + scale * (work.flood_s - work.settle_s),
            self.service.process,
            patient=PATIENT if level == PATIENT_LEVEL else 0,
            probes=work.name == "utterances" and level >= PROBED_LEVEL,
        )
        return level_figures(load, work, capacity, measured, level)

    async def _fairness(self, work: Work, capacity: float, scale: float) -> dict[str, Any]:
        seconds = work.settle_s + scale * (work.flood_s - work.settle_s)
        modest = {KEYS[MODEST]: MODEST_LEVEL * capacity / work.audio_s}
        greedy = {KEYS[GREEDY]: GREEDY_LEVEL * capacity / work.audio_s}
        server = self.service.process
        alone = await flood(work, self.client, modest, seconds, server)
        both = await flood(work, self.client, greedy | modest, seconds, server)
        return {
            "modest_alone": key_figures(alone, work, KEYS[MODEST]),
            "modest_beside_greedy": key_figures(both, work, KEYS[MODEST]),
            "greedy": key_figures(both, work, KEYS[GREEDY]),
        }


def works(service: Service, only: Sequence[str]) -> list[Work]:
    """Return the kinds that are wanted."""
    client = Client(service.url)
    said = speeches(TALK_S, TALKS)
    talks = [talk(f"talk {i}", pcm[: round(TALK_S * SAMPLE_RATE_HZ)]) for i, pcm in enumerate(said)]
    found: list[Work] = [
        Posting("utterances", client, bodies(), 4.0, 14.0),
        Posting("files", client, files(FILE_S), 6.0, 16.0, counts_jobs=True),
        Sessions(service.url.removeprefix("http://"), talks, 10.0, 20.0),
    ]
    return [work for work in found if work.name in only]


KINDS = ("utterances", "files", "live sessions")


def picture(results: Mapping[str, Mapping[str, Any]]) -> list[Bars]:
    """Return goodput, refusals, delays and fairness as bars."""
    kinds = list(results)
    levels = [level["level"] for level in results[kinds[0]]["levels"]]
    names = [f"{level:g} times" for level in levels]

    def chart(title: str, *path: str) -> Bars:
        def value(level: Mapping[str, Any]) -> float:
            found: Any = level
            for name in path:
                found = found and found[name]
            return float(found or 0)

        series = {kind: [value(level) for level in results[kind]["levels"]] for kind in kinds}
        return Bars(title, names, series)

    beside = ("modest_alone", "modest_beside_greedy")
    by_level = [
        chart(
            "goodput as a share of what is possible, by offered load in multiples of capacity",
            "goodput_share_of_possible",
        ),
        chart("refused, as a share of what was asked", "refused_share"),
        chart("time to refusal, p99, ms", "refusal_ms", "p99"),
        chart("delay of what was accepted, p50, ms", "delay_ms", "p50"),
        chart("delay of what was accepted, p99, ms", "delay_ms", "p99"),
        chart("/livez, p99, ms", "livez_ms", "p99"),
    ]
    if not all(results[kind]["fairness"] for kind in kinds):
        return by_level
    return [
        *by_level,
        Bars(
            "a modest key, alone and beside a greedy one: answered, as a share",
            ["alone", "beside a greedy key"],
            {
                kind: [results[kind]["fairness"][name]["answered_share"] for name in beside]
                for kind in kinds
            },
        ),
        Bars(
            "a modest key, alone and beside a greedy one: delay, p50, ms",
            ["alone", "beside a greedy key"],
            {
                kind: [
                    (results[kind]["fairness"][name]["delay_ms"] or {"p50": 0})["p50"]
                    for name in beside
                ]
                for kind in kinds
            },
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="one level, and less of it")
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--levels", help="times of capacity, as 5,20")
    parser.add_argument("--no-fairness", dest="fairness", action="store_false")
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/overload")
    arguments = parser.parse_args()
    levels: Sequence[float] = SHORT_LEVELS if arguments.short else LEVELS
    scale = SHORT if arguments.short else 1.0
    if arguments.levels:
        levels = tuple(map(float, arguments.levels.split(",")))
    print(machine())
    load_before = psutil.getloadavg()[0]
    print(f"load average before: {load_before:.2f} (figures mean little unless it is near 0)")
    api_keys = ",".join(f"{name}:{key}" for name, key in KEYS.items())
    with serve(WORKERS, api_keys=api_keys, **SETTINGS) as service:
        bench = Bench(service, Client(service.url))
        results = {
            work.name: asyncio.run(
                bench.measure(work, levels, scale, with_fairness=arguments.fairness)
            )
            for work in works(service, arguments.only.split(","))
        }
    reached = {}
    for kind, shown in results.items():
        for name, is_reached in shown["reached"].items():
            print(f"target, {kind}, {name}: {'reached' if is_reached else 'NOT reached'}")
            reached[f"{kind}: {name}"] = is_reached
    write_json(
        arguments.out.with_suffix(".json"),
        {
            "machine": machine(),
            "load_before": round(load_before, 2),
            "is_short": arguments.short,
            "corpus": CORPUS.is_dir(),
            "workers": WORKERS,
            "kinds": results,
        },
    )
    draw(arguments.out.with_suffix(".svg"), "More work than the service can do", picture(results))
    if not all(reached.values()):
        raise SystemExit("a target is missed")


if __name__ == "__main__":
    main()
