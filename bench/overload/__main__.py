"""More load than the server can handle: what is refused, how soon, and the remaining goodput.

    python -m bench.overload [--short] [--only utterances] [--out docs/benchmarks/overload]

For utterances, files and live sessions each:

**Capacity** is the throughput of a closed loop that keeps all batches full (16 clients with
utterances, 4 with files of half a minute). Live speech can't be accelerated: its capacity is the
number of seconds per second for which all cores suffice, at the cost of those streams that are
admitted of 48 at once.

**Levels**: an open loop offers 1, 2, 5 and 20 times that (independent Poisson arrivals), with four
keys, so that all of the queue is used. Goodput is the seconds of audio done per second once the
queue is full. In the middle of level 5 some clients start that obey ``Retry-After`` until they are
admitted. ``/livez`` is requested ten times a second. During level 20 of utterances, headers are
sent without the body that they announce.

**Fairness**: a modest key offers a quarter of the capacity, first alone, then together with a
greedy one that offers five times the capacity.

The time to refusal is measured from the request's first byte to the complete response. The
generator runs on the same cores as the server; the delay of its loop, which is part of every
time, is in the figures, and so is its CPU time, which the workers can't use. The possible goodput
of a level is the capacity less that, as a share of the cores that were left during the measurement
of the capacity.
"""

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from auricle.values.types import SAMPLE_RATE_HZ
from bench.lib.charts import Bars
from bench.lib.cpu import CpuMeter, CpuShare, tree_cpu_s
from bench.lib.posting import Client, bodies
from bench.lib.report import command_line, machine, publish, require
from bench.lib.service import Server, running
from bench.lib.speech import CORPUS, speeches
from bench.overload.figures import fairness_targets, key_figures, level_figures, level_targets
from bench.overload.flood import flood
from bench.overload.live import Sessions, talk
from bench.overload.work import Posting, Work
from bench.soak.mix import files

WORKERS = 2
LEVELS = (1.0, 2.0, 5.0, 20.0)
SHORT_LEVELS = (5.0,)
PATIENT_LEVEL, PATIENT = 5.0, 6
PROBED_LEVEL = 20.0
"""At this level the queue is always full."""
GREEDY, MODEST = "greedy", "modest"
SETTINGS: Mapping[str, Any] = {"address_connections": 0, "max_sessions_per_address": 0}
"""All clients have one address here; limits for each address are not measured."""
TENANTS = ("anna", "ben", "cleo", "dora")
KEYS = {name: f"bench-key-of-{name}" for name in (*TENANTS, GREEDY, MODEST)}
GREEDY_LEVEL, MODEST_LEVEL = 5.0, 0.25
CALM_S = 12.0
FULL_CLIENTS = {"utterances": 16, "files": 4}
FULL_STREAMS = 48
"""More than are admitted, so that no worker has time for partials."""
FILE_S = (35.0, 35.0, 35.0)
TALK_S, TALKS = 8.0, 4
SHORT = 0.6
"""Factor for the duration of each level."""


@dataclass(frozen=True)
class Bench:
    """A server and a client for it."""

    server: Server
    client: Client

    async def capacity(self, work: Work) -> tuple[float, CpuShare]:
        """Return the maximum seconds of audio per second, and the use of the cores meanwhile."""
        before_s, began_at = tree_cpu_s(self.server.process), time.monotonic()
        meter = CpuMeter(self.server.process)
        if isinstance(work, Sessions):
            keys = itertools.cycle(TENANTS)
            sessions = [work.do(KEYS[next(keys)]) for _ in range(FULL_STREAMS)]
            done_s = sum(one.audio_s for one in await asyncio.gather(*sessions) if one.is_done)
            cores = psutil.cpu_count() or 1
            all_cores = CpuShare(cores, generator=0.0)
            return cores * done_s / (tree_cpu_s(self.server.process) - before_s), all_cores
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
            raise RuntimeError(f"no {work.name} succeed without overload")
        return done_s / (last_at - began_at), meter.share()

    async def measure(
        self, work: Work, levels: Sequence[float], scale: float, *, with_fairness: bool = True
    ) -> dict[str, Any]:
        """Return all figures of one kind of work.

        Args:
            work: The kind of work.
            levels: Multiples of the capacity.
            scale: Factor for the duration of each level.
            with_fairness: Whether to measure a modest key together with a greedy one.
        """
        await work.learn_texts(KEYS[TENANTS[0]])
        capacity, measured = await self.capacity(work)
        print(
            f"\n{work.name}: capacity {capacity:.1f} s of audio per second {measured.figures()}",
            flush=True,
        )
        shown = []
        for level in levels:
            shown.append(await self._level(work, capacity, measured, level, scale))
            print(f"  {shown[-1]}", flush=True)
        fairness = await self._fairness(work, capacity, scale) if with_fairness else {}
        for name, one in fairness.items():
            print(f"  {name}: {one}", flush=True)
        is_live = isinstance(work, Sessions)
        reached = level_targets(shown, is_live=is_live)
        if fairness:
            reached |= fairness_targets(fairness)
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
            self.server.process,
            patient=PATIENT if level == PATIENT_LEVEL else 0,
            probes=work.name == "utterances" and level >= PROBED_LEVEL,
        )
        return level_figures(load, work, capacity, measured, level)

    async def _fairness(self, work: Work, capacity: float, scale: float) -> dict[str, Any]:
        seconds = work.settle_s + scale * (work.flood_s - work.settle_s)
        modest = {KEYS[MODEST]: MODEST_LEVEL * capacity / work.audio_s}
        greedy = {KEYS[GREEDY]: GREEDY_LEVEL * capacity / work.audio_s}
        server = self.server.process
        alone = await flood(work, self.client, modest, seconds, server)
        both = await flood(work, self.client, greedy | modest, seconds, server)
        return {
            "modest_alone": key_figures(alone, work, KEYS[MODEST]),
            "modest_beside_greedy": key_figures(both, work, KEYS[MODEST]),
            "greedy": key_figures(both, work, KEYS[GREEDY]),
        }


def works(server: Server, only: Sequence[str]) -> list[Work]:
    """Return the selected kinds of work."""
    client = Client(server.url)
    speech = speeches(TALK_S, TALKS)
    talks = [
        talk(f"talk {i}", pcm[: round(TALK_S * SAMPLE_RATE_HZ)]) for i, pcm in enumerate(speech)
    ]
    kinds: list[Work] = [
        Posting("utterances", client, bodies(), 4.0, 14.0),
        Posting("files", client, files(FILE_S), 6.0, 16.0, counts_jobs=True),
        Sessions(server.url.removeprefix("http://"), talks, 10.0, 34.0),
    ]
    return [work for work in kinds if work.name in only]


KINDS = ("utterances", "files", "live sessions")


CHARTS = (
    ("goodput as a share of the possible, by load", "goodput_share_of_possible"),
    ("refused, as a share of all requests", "refused_share"),
    ("time to refusal, p99, ms", "refusal_ms", "p99"),
    ("delay of accepted requests, p50, ms", "delay_ms", "p50"),
    ("delay of accepted requests, p99, ms", "delay_ms", "p99"),
    ("/livez, p99, ms", "livez_ms", "p99"),
)
FAIRNESS_CHARTS = (
    ("a modest key, alone and with a greedy one: share of requests served", "answered_share"),
    ("a modest key, alone and with a greedy one: delay, p50, ms", "delay_ms", "p50"),
)


def charts(results: Mapping[str, Mapping[str, Any]]) -> list[Bars]:
    """Return goodput, refusals, delays and fairness as bars."""

    def value(figures: Any, path: Sequence[str]) -> float:
        for name in path:
            figures = figures and figures[name]
        return float(figures or 0)

    levels = {kind: of["levels"] for kind, of in results.items()}
    names = [f"{level['level']:g} times" for level in next(iter(levels.values()))]
    drawn = [
        Bars(title, names, {kind: [value(one, path) for one in of] for kind, of in levels.items()})
        for title, *path in CHARTS
    ]
    if all(of["fairness"] for of in results.values()):
        cases = ("modest_alone", "modest_beside_greedy")
        for title, *path in FAIRNESS_CHARTS:
            series = {
                kind: [value(of["fairness"][case], path) for case in cases]
                for kind, of in results.items()
            }
            drawn.append(Bars(title, ["alone", "with a greedy key"], series))
    return drawn


def main() -> None:
    parser = command_line(__doc__, "overload")
    parser.add_argument("--short", action="store_true", help="one level, and less of it")
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--levels", help="multiples of the capacity, as 5,20")
    parser.add_argument("--no-fairness", dest="fairness", action="store_false")
    arguments = parser.parse_args()
    levels: Sequence[float] = SHORT_LEVELS if arguments.short else LEVELS
    scale = SHORT if arguments.short else 1.0
    if arguments.levels:
        levels = tuple(map(float, arguments.levels.split(",")))
    print(machine())
    load_before = psutil.getloadavg()[0]
    print(f"load average before: {load_before:.2f} (figures are useful only if it is near 0)")
    api_keys = ",".join(f"{name}:{key}" for name, key in KEYS.items())
    with running(workers=WORKERS, api_keys=api_keys, **SETTINGS) as server:
        bench = Bench(server, Client(server.url))
        results = {
            work.name: asyncio.run(
                bench.measure(work, levels, scale, with_fairness=arguments.fairness)
            )
            for work in works(server, arguments.only.split(","))
        }
    result = {
        "load_before": round(load_before, 2),
        "is_short": arguments.short,
        "corpus": CORPUS.is_dir(),
        "workers": WORKERS,
        "kinds": results,
    }
    publish(arguments.out, result, "More load than the server can handle", charts(results))
    require(
        {
            f"{kind}, {name}": is_reached
            for kind, shown in results.items()
            for name, is_reached in shown["reached"].items()
        }
    )


if __name__ == "__main__":
    main()
