"""What the hour of a soak showed: growth, drift, delays; in numbers, in words and as a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.posting import Outcome, percentiles_ms, statuses
from bench.soak.live import Stream, drifts
from bench.soak.mix import Cost, Posted, Rates
from bench.soak.watch import SERVER, Snapshot
from bench.timeline import Chart, Line, draw_lines
from bench.trend import Trend, trend

WARM_UP_SHARE = 1 / 6
LEAK_MB_PER_HOUR = 8.0
"""A server of 170 MB that grows by so much has doubled after a day."""
MAX_DELAY_GROWTH_S = 0.1
"""Of a final's delay, in an hour, beyond what chance explains."""
MAX_DRIFT_SAMPLES = 512
"""One window of the voice detector."""


@dataclass(frozen=True, slots=True)
class Hour:
    """All that happened."""

    seconds: float
    looks: list[Snapshot]
    names: dict[int, str]
    lasting: list[Stream]
    passing: list[Stream]
    broken: list[Stream]
    """Those whose network resets their connections; they don't count for delays."""
    posted: Posted

    @property
    def settled(self) -> list[Snapshot]:
        """The looks after the warm-up, while there was work."""
        own = [look for look in self.looks if look.part == "work"]
        return [look for look in own if look.at_s >= own[0].at_s + self.seconds * WARM_UP_SHARE]

    @property
    def streams(self) -> list[Stream]:
        """Every live session whose network held."""
        return [*self.lasting, *self.passing]


def growth(found: Hour) -> dict[str, Trend | None]:
    """Return the slope of each process's memory; ``None`` if it did not live through it all."""
    settled = found.settled
    times_s = [look.at_s for look in settled]
    slopes: dict[str, Trend | None] = {}
    for pid, name in found.names.items():
        values = [look.memory_mb[pid] for look in settled if pid in look.memory_mb]
        slopes[name] = trend(times_s, values) if len(values) == len(settled) else None
    return slopes


def drift(found: Hour) -> dict[str, Trend | None]:
    """Return the slopes of all else that must not grow."""
    settled = found.settled
    times_s = [look.at_s for look in settled]
    warm_s = found.seconds * WARM_UP_SHARE
    told = [t for stream in found.streams for t in stream.told if t.at_s >= warm_s]
    moved = [pair for stream in found.lasting for pair in drifts(stream)]
    slopes = {
        name: trend(times_s, [float(getattr(look, name)) for look in settled])
        for name in ("descriptors", "tasks", "processes", "livez_ms")
    }
    slopes["final_delay_s"] = trend([t.at_s for t in told], [t.delay_s for t in told])
    slopes["utterance_place_samples"] = trend([at for at, _ in moved], [o for _, o in moved])
    answered = [o for o in found.posted.utterances if o.is_done]
    slopes["utterance_answer_s"] = trend(
        [o.ended_at for o in answered], [o.took_s for o in answered]
    )
    return slopes


def delay_bins(found: Hour, bins: int = 20) -> list[dict[str, float]]:
    """Return the finals' delays over time."""
    told = [t for stream in found.streams for t in stream.told]
    out = []
    for index in range(bins):
        low_s, high_s = (found.seconds * (index + side) / bins for side in (0, 1))
        own = [t.delay_s for t in told if low_s <= t.at_s < high_s]
        if own:
            out.append(
                {
                    "at_s": round((low_s + high_s) / 2),
                    "finals": len(own),
                    "p50_s": round(float(np.percentile(own, 50)), 3),
                    "p99_s": round(float(np.percentile(own, 99)), 3),
                    "max_s": round(max(own), 3),
                }
            )
    return out


def live_figures(found: Hour) -> dict[str, Any]:
    """Return how the live streams fared."""
    streams = [*found.streams, *found.broken]
    moved = [offset for stream in found.lasting for _, offset in drifts(stream)]
    return {
        "streams": len(streams),
        "speech_s": round(sum(stream.spoken_s for stream in streams)),
        "finals": sum(len(stream.told) for stream in streams),
        "failed_finals": sum(told.is_failed for stream in streams for told in stream.told),
        "failures": [stream.failure for stream in streams if stream.failure],
        "reconnects": sum(stream.reconnects for stream in streams),
        "warnings": sum(stream.warnings for stream in streams),
        "out_of_order": sum(not stream.is_in_order for stream in streams),
        "compared_utterances": len(moved),
        "moved_at_most_samples": max(map(abs, moved), default=None),
        "delays": delay_bins(found),
    }


def posted_figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return how utterances or files fared."""
    done = [outcome for outcome in outcomes if outcome.is_done]
    return {
        "posted": len(outcomes),
        "statuses": statuses(outcomes),
        "audio_s": round(sum(outcome.audio_s for outcome in done)),
        "answer_ms": percentiles_ms([outcome.took_s for outcome in done]),
        "texts_that_changed": len({(o.clip, o.text) for o in done}) - len({o.clip for o in done}),
    }


def figures(found: Hour, cost: Cost, rates: Rates) -> dict[str, Any]:
    """Return everything but the looks."""
    work = [look for look in found.looks if look.part == "work"]
    wall_s = work[-1].at_s - work[0].at_s
    cores = psutil.cpu_count() or 1
    before = next(look for look in reversed(found.looks) if look.part == "before")
    return {
        "seconds": found.seconds,
        "cost_cpu_s_per_audio_s": asdict(cost),
        "capacity_audio_s_per_s": {
            name: round(cores / value, 2) for name, value in asdict(cost).items()
        },
        "offered": asdict(rates),
        "used_share": round((work[-1].cpu_s - work[0].cpu_s) / wall_s / cores, 3),
        "server_share_of_a_core": round((work[-1].server_cpu_s - work[0].server_cpu_s) / wall_s, 3),
        "load_average": {
            "mean": round(float(np.mean([look.load_average for look in work])), 2),
            "max": max(look.load_average for look in work),
        },
        "growth_mb": {name: slope and slope.rounded() for name, slope in growth(found).items()},
        "drift": {name: slope and slope.rounded(4) for name, slope in drift(found).items()},
        "at_rest": {
            name: (getattr(before, name), getattr(found.looks[-1], name))
            for name in ("descriptors", "tasks", "processes")
        },
        "at_rest_mb": {
            name: (before.memory_mb.get(pid), found.looks[-1].memory_mb.get(pid))
            for pid, name in found.names.items()
        },
        "live": live_figures(found),
        "utterances": posted_figures(found.posted.utterances),
        "files": posted_figures(found.posted.files),
        "unsent": found.posted.unsent,
        "broken": found.posted.broken,
        "livez_ms": percentiles_ms([look.livez_ms / 1000 for look in work]),
    }


def reached(shown: dict[str, Any]) -> dict[str, bool]:
    """Return what is as it should be."""
    slopes = shown["drift"]
    rest = shown["at_rest"]
    posted = [shown[kind]["statuses"] for kind in ("utterances", "files")]
    live = shown["live"]
    delay, place = slopes["final_delay_s"], slopes["utterance_place_samples"]
    return {
        "every process lived through it all": all(shown["growth_mb"].values()),
        f"no process surely grows by {LEAK_MB_PER_HOUR:g} MB an hour": all(
            slope is not None and slope["low"] < LEAK_MB_PER_HOUR
            for slope in shown["growth_mb"].values()
        ),
        f"the server surely does not grow by {LEAK_MB_PER_HOUR:g} MB an hour": bool(
            shown["growth_mb"][SERVER] and shown["growth_mb"][SERVER]["high"] < LEAK_MB_PER_HOUR
        ),
        "no descriptor, task or process is left": all(b >= a for b, a in rest.values()),
        "the delay of finals does not grow": delay is not None
        and delay["low"] < MAX_DELAY_GROWTH_S,
        "utterances lie where they lay before": place is not None
        and place["low"] <= 0 <= place["high"]
        and live["moved_at_most_samples"] <= MAX_DRIFT_SAMPLES,
        "all is answered, with the same text each time": all(
            set(found) <= {"200"} for found in posted
        )
        and not shown["unsent"]
        and not shown["utterances"]["texts_that_changed"]
        and not shown["broken"],
        "every live stream is whole": not (
            live["failures"] or live["failed_finals"] or live["out_of_order"]
        ),
    }


def show(shown: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"\ncost {shown['cost_cpu_s_per_audio_s']}, capacity {shown['capacity_audio_s_per_s']}")
    print(f"offered {shown['offered']}; the service used {shown['used_share']:.1%} of all cores")
    load = shown["load_average"]
    print(f"load average of the machine {load['mean']} (at most {load['max']})")
    for name, slope in shown["growth_mb"].items():
        before_mb, after_mb = shown["at_rest_mb"][name]
        print(
            f"  {name:16} {_line(slope)} MB an hour: {verdict_on(slope)}; "
            f"at rest {before_mb} -> {after_mb} MB"
        )
    for name, slope in shown["drift"].items():
        print(f"  {name:24} {_line(slope)} an hour")
    print(f"  at rest, before and after: {shown['at_rest']}")
    live = shown["live"]
    print(f"  live: { {name: value for name, value in live.items() if name != 'delays'} }")
    for delay in live["delays"]:
        print(f"    {delay}")
    for kind in ("utterances", "files", "unsent", "broken", "livez_ms"):
        print(f"  {kind}: {shown[kind]}")


def verdict_on(slope: dict[str, float] | None) -> str:
    """Return in words whether memory with this slope leaks."""
    if slope is None:
        return "it did not live through it all"
    if slope["low"] >= LEAK_MB_PER_HOUR:
        return "a leak"
    return "no leak" if slope["high"] < LEAK_MB_PER_HOUR else "an hour can't tell"


def _line(slope: dict[str, float] | None) -> str:
    if slope is None:
        return "unknown"
    return f"{slope['per_hour']:+.3f} ({slope['low']:+.3f} to {slope['high']:+.3f})"


def draw(path: Path, shown: Mapping[str, Any]) -> None:
    """Write the hour as a picture."""
    columns = shown["looks"]
    at_s = columns["at_s"]

    def line(name: str) -> Line:
        return [(at, value) for at, value in zip(at_s, columns[name], strict=True) if value]

    delays = shown["live"]["delays"]
    memory = {n.removesuffix(", MB"): line(n) for n in columns if n.endswith(", MB")}
    draw_lines(
        path,
        f"{shown['seconds'] / 60:.0f} minutes of mixed load",
        [
            Chart("resident memory, MB", memory),
            Chart(
                "delay of finals of live speech, s",
                {
                    "p50": [(delay["at_s"], delay["p50_s"]) for delay in delays],
                    "p99": [(delay["at_s"], delay["p99_s"]) for delay in delays],
                },
            ),
            Chart("server", {name: line(name) for name in ("descriptors", "tasks", "processes")}),
            Chart("the machine, others included", {"load average": line("load_average")}),
        ],
        ("minutes", 60.0),
    )
