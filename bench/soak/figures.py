"""Results of the hour of a soak: growth, drift and delays, as figures, text and charts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psutil

from bench.lib.charts import Lines
from bench.lib.posting import Outcome, percentiles_ms, statuses
from bench.lib.trend import Trend, trend
from bench.soak.live import Stream, drifts
from bench.soak.mix import Cost, Posted, Rates
from bench.soak.watch import SERVER, Snapshot

WARM_UP_SHARE = 1 / 6
LEAK_MB_PER_HOUR = 8.0
"""A server of 170 MB that grows by this doubles in a day."""
MAX_DELAY_GROWTH_S = 0.1
"""Of a final's delay, in an hour, beyond what chance explains."""
MAX_DRIFT_SAMPLES = 512
"""One window of the voice detector."""


@dataclass(frozen=True, slots=True)
class Hour:
    """The raw results."""

    seconds: float
    snapshots: list[Snapshot]
    names: dict[int, str]
    lasting: list[Stream]
    passing: list[Stream]
    broken: list[Stream]
    """Streams whose network resets connections; they do not count for delays."""
    posted: Posted

    @property
    def settled(self) -> list[Snapshot]:
        """The snapshots under load after the warm-up."""
        own = [snapshot for snapshot in self.snapshots if snapshot.part == "work"]
        return [
            snapshot
            for snapshot in own
            if snapshot.at_s >= own[0].at_s + self.seconds * WARM_UP_SHARE
        ]

    @property
    def streams(self) -> list[Stream]:
        """All live sessions on a working network."""
        return [*self.lasting, *self.passing]


def growth(found: Hour) -> dict[str, Trend | None]:
    """Return the slope of each process's memory; ``None`` if it did not live for the whole run."""
    settled = found.settled
    times_s = [snapshot.at_s for snapshot in settled]
    slopes: dict[str, Trend | None] = {}
    for pid, name in found.names.items():
        values = [snapshot.memory_mb[pid] for snapshot in settled if pid in snapshot.memory_mb]
        slopes[name] = trend(times_s, values) if len(values) == len(settled) else None
    return slopes


def drift(found: Hour) -> dict[str, Trend | None]:
    """Return the slopes of everything else that must not grow."""
    settled = found.settled
    times_s = [snapshot.at_s for snapshot in settled]
    warm_s = found.seconds * WARM_UP_SHARE
    finals = [t for stream in found.streams for t in stream.finals if t.at_s >= warm_s]
    moved = [pair for stream in found.lasting for pair in drifts(stream)]
    slopes = {
        name: trend(times_s, [float(getattr(snapshot, name)) for snapshot in settled])
        for name in ("descriptors", "tasks", "processes", "livez_ms")
    }
    slopes["final_delay_s"] = trend([t.at_s for t in finals], [t.delay_s for t in finals])
    slopes["utterance_position_samples"] = trend([at for at, _ in moved], [o for _, o in moved])
    answered = [o for o in found.posted.utterances if o.is_done]
    slopes["utterance_answer_s"] = trend(
        [o.ended_at for o in answered], [o.took_s for o in answered]
    )
    return slopes


def delay_bins(found: Hour, bins: int = 20) -> list[dict[str, float]]:
    """Return the finals' delays over time."""
    finals = [t for stream in found.streams for t in stream.finals]
    out = []
    for index in range(bins):
        low_s, high_s = (found.seconds * (index + side) / bins for side in (0, 1))
        own = [t.delay_s for t in finals if low_s <= t.at_s < high_s]
        if own:
            p50, p99 = (round(float(value), 3) for value in np.percentile(own, [50, 99]))
            figures = {"p50_s": p50, "p99_s": p99, "max_s": round(max(own), 3)}
            out.append({"at_s": round((low_s + high_s) / 2), "finals": len(own)} | figures)
    return out


def live_figures(found: Hour) -> dict[str, Any]:
    """Return the results of the live streams."""
    streams = [*found.streams, *found.broken]
    moved = [offset for stream in found.lasting for _, offset in drifts(stream)]
    return {
        "streams": len(streams),
        "speech_s": round(sum(stream.spoken_s for stream in streams)),
        "finals": sum(len(stream.finals) for stream in streams),
        "failed_finals": sum(final.is_failed for stream in streams for final in stream.finals),
        "failures": [stream.failure for stream in streams if stream.failure],
        "reconnects": sum(stream.reconnects for stream in streams),
        "warnings": sum(stream.warnings for stream in streams),
        "out_of_order": sum(not stream.is_in_order for stream in streams),
        "compared_utterances": len(moved),
        "moved_at_most_samples": max(map(abs, moved), default=None),
        "delays": delay_bins(found),
    }


def posted_figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the results of utterances or files."""
    done = [outcome for outcome in outcomes if outcome.is_done]
    return {
        "posted": len(outcomes),
        "statuses": statuses(outcomes),
        "audio_s": round(sum(outcome.audio_s for outcome in done)),
        "answer_ms": percentiles_ms([outcome.took_s for outcome in done]),
        "texts_that_changed": len({(o.clip, o.text) for o in done}) - len({o.clip for o in done}),
    }


def figures(found: Hour, cost: Cost, rates: Rates) -> dict[str, Any]:
    """Return all figures except the snapshots."""
    work = [snapshot for snapshot in found.snapshots if snapshot.part == "work"]
    wall_s = work[-1].at_s - work[0].at_s
    cores = psutil.cpu_count() or 1
    before = next(snapshot for snapshot in reversed(found.snapshots) if snapshot.part == "before")
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
            "mean": round(float(np.mean([snapshot.load_average for snapshot in work])), 2),
            "max": max(snapshot.load_average for snapshot in work),
        },
        "growth_mb": {name: slope and slope.rounded() for name, slope in growth(found).items()},
        "drift": {name: slope and slope.rounded(4) for name, slope in drift(found).items()},
        "at_rest": {
            name: (getattr(before, name), getattr(found.snapshots[-1], name))
            for name in ("descriptors", "threads", "tasks", "processes")
        },
        "at_rest_mb": {
            name: (before.memory_mb.get(pid), found.snapshots[-1].memory_mb.get(pid))
            for pid, name in found.names.items()
        },
        "live": live_figures(found),
        "utterances": posted_figures(found.posted.utterances),
        "files": posted_figures(found.posted.files),
        "unsent": found.posted.unsent,
        "broken": found.posted.broken,
        "livez_ms": percentiles_ms([snapshot.livez_ms / 1000 for snapshot in work]),
    }


def reached(shown: dict[str, Any]) -> dict[str, bool]:
    """Return which targets are reached."""
    slopes = shown["drift"]
    rest = shown["at_rest"]
    posted = [shown[kind]["statuses"] for kind in ("utterances", "files")]
    live = shown["live"]
    delay, place = slopes["final_delay_s"], slopes["utterance_position_samples"]
    return {
        "every process lived for the whole run": all(shown["growth_mb"].values()),
        f"no process grows with certainty by {LEAK_MB_PER_HOUR:g} MB an hour": all(
            slope is not None and slope["low"] < LEAK_MB_PER_HOUR
            for slope in shown["growth_mb"].values()
        ),
        f"the server certainly grows by less than {LEAK_MB_PER_HOUR:g} MB an hour": bool(
            shown["growth_mb"][SERVER] and shown["growth_mb"][SERVER]["high"] < LEAK_MB_PER_HOUR
        ),
        "no descriptor, task or process is left": all(
            before >= after for name, (before, after) in rest.items() if name != "threads"
        ),
        "the delay of finals does not grow": delay is not None
        and delay["low"] < MAX_DELAY_GROWTH_S,
        "utterances keep their positions": place is not None
        and place["low"] <= 0 <= place["high"]
        and live["moved_at_most_samples"] <= MAX_DRIFT_SAMPLES,
        "every request is answered, with the same text each time": all(
            set(found) <= {"200"} for found in posted
        )
        and not shown["unsent"]
        and not shown["utterances"]["texts_that_changed"]
        and not shown["broken"],
        "every live stream is complete and in order": not (
            live["failures"] or live["failed_finals"] or live["out_of_order"]
        ),
    }


def show(shown: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"\ncost {shown['cost_cpu_s_per_audio_s']}, capacity {shown['capacity_audio_s_per_s']}")
    print(f"offered {shown['offered']}; the server used {shown['used_share']:.1%} of all cores")
    print(f"load average of the machine {shown['load_average']}")
    for name, slope in shown["growth_mb"].items():
        before_mb, after_mb = shown["at_rest_mb"][name]
        print(
            f"  {name:16} {_line(slope)} MB an hour: {judge_growth(slope)}; "
            f"at rest {before_mb} -> {after_mb} MB"
        )
    for name, slope in shown["drift"].items():
        print(f"  {name:24} {_line(slope)} an hour")
    print(f"  at rest, before and after: {shown['at_rest']}")
    for kind in (
        "live",
        "utterances",
        "files",
        "unsent",
        "broken",
        "livez_ms",
        "names",
        "database_mb",
    ):
        if kind in shown:
            print(f"  {kind}: {shown[kind]}")


def judge_growth(slope: dict[str, float] | None) -> str:
    """Return whether memory with this slope leaks, as text."""
    if slope is None:
        return "it did not live for the whole run"
    if slope["low"] >= LEAK_MB_PER_HOUR:
        return "a leak"
    return "no leak" if slope["high"] < LEAK_MB_PER_HOUR else "an hour is too short"


def _line(slope: dict[str, float] | None) -> str:
    if slope is None:
        return "unknown"
    return f"{slope['per_hour']:+.3f} ({slope['low']:+.3f} to {slope['high']:+.3f})"


def charts(shown: Mapping[str, Any]) -> list[Lines]:
    """Return the hour over time, in minutes."""
    columns, delays = shown["snapshots"], shown["live"]["delays"]

    def line(name: str) -> list[tuple[float, float | None]]:
        pairs = zip(columns["at_s"], columns[name], strict=True)
        return [(at_s / 60, value) for at_s, value in pairs if value]

    memory = {n.removesuffix(", MB"): line(n) for n in columns if n.endswith(", MB")}
    late = {name: [(d["at_s"] / 60, d[f"{name}_s"]) for d in delays] for name in ("p50", "p99")}
    counts = {name: line(name) for name in ("descriptors", "tasks", "processes")}
    return [
        Lines("resident memory, MB", memory, "minutes"),
        Lines("delay of finals of live speech, s", late, "minutes"),
        Lines("server", counts, "minutes"),
        Lines("load average of the machine", {"load average": line("load_average")}, "minutes"),
    ]
