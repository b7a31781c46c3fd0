"""How many live streams a server holds: errors, delays, processor time and memory by streams.

    python -m bench.live --model DIR --corpus DIR [--streams 1,2,4,8,12,16,24,32]
        [--out docs/benchmarks/live]

For each number of streams a fresh server is started with its defaults, on a free port of this
machine, and each stream plays read sentences at real-time pace with pauses of 0.8 to 1.5 s, each
in an order of its own. Auricle gets Opus in packets of 20 ms. :mod:`research.whisper_live` plays
the same streams to another server.

The final delay runs from the end of a sentence's last word, as that sample is sent, to the arrival
of the final that holds it; the silence that ends an utterance (``endpoint_ms=500``) is in it. Where
a word ends is said in :mod:`bench.live_speech`; the JSON has the delay from Whisper's own end too.
The first word's delay runs from the start of speech to the first caption, partial or final, with
one of its first words. Few streams play longer, so that percentiles mean something.

Runs are merged into the JSON that is there, so servers may be measured in calls of their own.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.live_auricle import Auricle
from bench.live_picture import draw_curves
from bench.live_play import framed, play
from bench.live_process import Watch
from bench.live_score import percentile, score_stream, summary
from bench.live_server import Server
from bench.live_speech import AlignedClip, aligned_clips, talk
from bench.report import machine, write_json
from bench.service import CORPUS, ROOT

ServerFactory = Callable[[Path], Server]
"""Makes a server from the path of a model."""

STREAMS = "1,2,4,8,12,16,24,32"
MIN_STREAMS = 2
"""Fewer play longer: so many times the usual together."""
TARGETS = {
    "one_stream_p50_s": 0.7,
    "one_stream_p95_s": 1.0,
    "one_stream_first_word_p95_s": 1.0,
    "24_streams_p95_s": 2.0,
    "24_streams_wer_points": 1.0,
}
COLUMNS = (
    f"{'server':18} {'N':>3} {'WER %':>6} {'shown':>6}  {'final p50/p95/max s':>20}"
    f" {'last word':>12} {'first word':>12} {'part/s':>6} {'CPU/s':>6} {'cores':>5} {'MB':>5}"
    f"  {'node p99':>8} {'late p99':>8}"
)


def measure(
    server: Server, clips: Sequence[AlignedClip], streams: int, seconds: float
) -> dict[str, Any]:
    """Play so many streams to a fresh server, and return the figures."""
    talks = [talk(clips, i, seconds * max(1.0, MIN_STREAMS / streams)) for i in range(streams)]
    frames = [framed(server.messages(one.pcm)) for one in talks]
    with server.running(streams) as running:
        watch = Watch(running.process)
        lengths_s = [one.seconds for one in talks]
        run = asyncio.run(play(server, running.url, watch, frames, lengths_s))
        own = running.own_figures()
    scores = [
        score_stream(one, played, server.captions(played.received))
        for one, played in zip(talks, run.played, strict=True)
        if not played.is_refused
    ]
    if not scores:
        raise SystemExit(f"{server.name} refused all of {streams} streams")
    late_s = [late for played in run.played for late in played.late_s]
    counts = [c for played in run.played if (c := server.packets(played.received))]
    return {
        "server": server.name,
        "streams": streams,
        "refused": sum(played.is_refused for played in run.played),
        "seconds": round(run.wall_s, 1),
        **summary(scores, run.audio_s),
        "cpu_s_per_audio_s": round(run.cpu_s / run.audio_s, 4),
        "cores": round(run.cpu_s / run.wall_s, 2),
        "memory_mb": round(run.memory_bytes / 1e6),
        "generator_late_p99_ms": round(1000 * percentile(late_s, 99), 1),
        "generator_cores": round(run.generator_cpu_s / run.wall_s, 3),
        **{name: sum(count[name] for count in counts) for name in (counts[0] if counts else ())},
        **own,
    }


def row(result: dict[str, Any]) -> str:
    """Return one line of the table."""
    node = result.get("node_delay_p99_below_ms")
    refused = f"  {result['refused']} refused" if result["refused"] else ""
    lost = result.get("decode_errors", 0) + result.get("lost_packets", 0)
    return (
        f"{result['server']:18} {result['streams']:3} {result['wer_percent']:6.2f}"
        f" {result['shown_percent']:5.1f}%  {_times(result['final_delay_s'], 3):>20}"
        f" {_times(result['last_word_delay_s'], 2):>12}"
        f" {_times(result['first_word_delay_s'], 2):>12} {result['partials_per_s']:6.2f}"
        f" {result['cpu_s_per_audio_s']:6.3f} {result['cores']:5.2f} {result['memory_mb']:5}"
        f"  {'' if node is None else f'<{node:g} ms':>8}"
        f" {result['generator_late_p99_ms']:5.1f} ms{refused}"
        f"{f'  {lost} packets lost' if lost else ''}"
    )


def _times(spread: dict[str, float | None], count: int) -> str:
    values = list(spread.values())[:count]
    return " / ".join("never" if value is None else f"{value:.2f}" for value in values)


def verdicts(results: Sequence[dict[str, Any]]) -> dict[str, bool]:
    """Return which targets Auricle reaches, of those that were measured."""
    ours = {r["streams"]: r for r in results if r["server"] == Auricle.name}
    found: dict[str, bool] = {}

    def check(name: str, value: float | None) -> None:
        found[name] = value is not None and value <= TARGETS[name]

    if one := ours.get(1):
        check("one_stream_p50_s", one["final_delay_s"]["p50"])
        check("one_stream_p95_s", one["final_delay_s"]["p95"])
        check("one_stream_first_word_p95_s", one["first_word_delay_s"]["p95"])
    if many := ours.get(24):
        check("24_streams_p95_s", many["final_delay_s"]["p95"])
        if one:
            check("24_streams_wer_points", many["wer_percent"] - one["wer_percent"])
    return found


def merged(path: Path, results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all runs that the file holds after these; a newer one replaces an older.

    Raises:
        SystemExit: The file's runs are of another machine.
    """
    runs = {}
    if path.is_file():
        before = json.loads(path.read_text())
        for name in ("processor", "cores"):
            if before["machine"][name] != machine()[name]:
                raise SystemExit(f"{path.name} was measured on another machine: move it away")
        runs = {(run["server"], run["streams"]): run for run in before["runs"]}
    runs |= {(run["server"], run["streams"]): run for run in results}
    return [runs[key] for key in sorted(runs)]


def main(other_servers: Mapping[str, ServerFactory] | None = None) -> None:
    servers: dict[str, ServerFactory] = {Auricle.name: Auricle, **(other_servers or {})}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--streams", default=STREAMS)
    parser.add_argument("--server", nargs="+", choices=tuple(servers), default=[*servers])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=ROOT / "bench/results/live")
    arguments = parser.parse_args()
    print(json.dumps(machine()))
    clips = aligned_clips(arguments.corpus, arguments.model)
    results = []
    print(COLUMNS)
    for name in arguments.server:
        server = servers[name](arguments.model)
        for streams in map(int, arguments.streams.split(",")):
            results.append(measure(server, clips, streams, arguments.seconds))
            print(row(results[-1]), flush=True)
            write(arguments.out, results)
    print(json.dumps(verdicts(results)))


def write(out: Path, results: Sequence[dict[str, Any]]) -> None:
    """Merge runs into the JSON, and draw it anew."""
    path = out.with_suffix(".json")
    runs = merged(path, results)
    report = {
        "machine": machine(),
        "measured": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "targets": TARGETS,
        "reached": verdicts(runs),
        "runs": runs,
    }
    write_json(path, report)
    draw_curves(out.with_suffix(".svg"), runs)


if __name__ == "__main__":
    main()
