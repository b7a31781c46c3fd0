"""How many live streams a server can serve: errors, delays, CPU time and memory by streams.

    python -m bench.live --model DIR --corpus DIR [--streams 1,2,4,8,12,16,24,32]
        [--server auricle auricle-speakers] [--out docs/benchmarks/live]

``auricle-speakers`` is the same server with ``speakers=1`` in each stream.

For each number of streams a new server is started, with default settings but room for all of them
(``AURICLE_LIVE_SPEAKERS``), and each stream plays read sentences in real time with pauses of 0.8 to
1.5 s, in a different order. Auricle receives Opus packets of 20 ms. :mod:`research.peers` plays the
same streams to other servers.

The delay of a final is measured from the end of a sentence's last word, when that sample is sent,
to the arrival of the final that contains it; it includes the silence that ends an utterance
(``endpoint_ms=500``). :mod:`bench.live.speech` defines the end of a word; the JSON also has the
delay from Whisper's own end. The delay of the first word is measured from the start of speech to
the first caption, partial or final, with one of its first words. A single stream plays twice as
long, for useful percentiles.

Each number of streams begins with the yardstick of ``auricle bench``, the speed of faster-whisper
on one core, by which runs on different machines can be compared. Runs are merged into the existing
JSON, so servers may be measured in separate calls.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from auricle.cli.bench.score import percentile
from auricle.cli.bench.stream import framed
from auricle.cli.bench.yardstick import measure_yardstick
from auricle.config.settings import Settings
from bench.lib.charts import Lines
from bench.lib.report import command_line, machine, publish, read_json, show_targets
from bench.lib.speech import CORPUS
from bench.live.auricle import NAME, WITH_SPEAKERS, Auricle
from bench.live.play import LiveServer, play
from bench.live.score import score_stream, summary
from bench.live.speech import AlignedClip, aligned_clips, talk

ServerFactory = Callable[[Path], LiveServer]
"""Makes a server from the path of a model."""

STREAMS = "1,2,4,8,12,16,24,32"
MIN_STREAMS = 2
"""Fewer streams play longer: as long as this number together."""
TARGETS: dict[str, tuple[int, str, str, float]] = {
    "one_stream_p50_s": (1, "final_delay_s", "p50", 0.7),
    "one_stream_p95_s": (1, "final_delay_s", "p95", 1.0),
    "one_stream_first_word_p95_s": (1, "first_word_delay_s", "p95", 1.0),
    "24_streams_p95_s": (24, "final_delay_s", "p95", 2.0),
}
"""Number of streams, figure, percentile, maximum."""
MAX_MORE_ERRORS = "24_streams_wer_points", 24, 1.0
"""Word errors with 24 streams may exceed those with one by this number of points."""
COLUMNS = (
    f"{'server':18} {'N':>3} {'WER %':>6} {'shown':>6}  {'final p50/p95/max s':>20}"
    f" {'last word':>12} {'first word':>12} {'part/s':>6} {'CPU/s':>6} {'cores':>5} {'MB':>5}"
    f"  {'node p99':>8} {'late p99':>8}"
)


def measure(
    server: LiveServer, clips: Sequence[AlignedClip], streams: int, seconds: float
) -> dict[str, Any]:
    """Play a number of streams to a new server, and return the figures."""
    talks = [talk(clips, i, seconds * max(1.0, MIN_STREAMS / streams)) for i in range(streams)]
    frames = [framed(server.messages(one.pcm)) for one in talks]
    with server.running(streams) as running:
        run = asyncio.run(play(server, running, frames, [one.seconds for one in talks]))
        own = running.own_figures()
    scores = [
        score_stream(one, played, server.captions(played.received))
        for one, played in zip(talks, run.played, strict=True)
        if not played.is_refused
    ]
    if not scores:
        raise SystemExit(f"{server.name} refused all {streams} streams")
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


def targets(results: Sequence[dict[str, Any]]) -> dict[str, bool]:
    """Return which targets Auricle reaches, of those that were measured."""
    ours = {r["streams"]: r for r in results if r["server"] == NAME}
    reached = {
        name: (value := ours[streams][figure][share]) is not None and value <= limit
        for name, (streams, figure, share, limit) in TARGETS.items()
        if streams in ours
    }
    name, streams, limit = MAX_MORE_ERRORS
    if 1 in ours and streams in ours:
        reached[name] = ours[streams]["wer_percent"] - ours[1]["wer_percent"] <= limit
    return reached


def merged(out: Path, results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs in the file and these; a newer run replaces an older one.

    Raises:
        SystemExit: The file's runs are from another machine.
    """
    before = read_json(out)
    if before and any(before["machine"][key] != machine()[key] for key in ("processor", "cores")):
        raise SystemExit(f"{out.name} was measured on another machine: move it away")
    runs = {(run["server"], run["streams"]): run for run in [*before.get("runs", ()), *results]}
    return [runs[key] for key in sorted(runs)]


def charts(runs: Sequence[dict[str, Any]]) -> list[Lines]:
    """Return delays, errors and CPU time by number of streams, a line for each server."""

    def chart(title: str, top: float, *path: str) -> Lines:
        lines: dict[str, list[tuple[float, float | None]]] = {}
        for run in runs:
            value: Any = run
            for name in path:
                value = value[name]
            lines.setdefault(run["server"], []).append((run["streams"], value))
        return Lines(title, lines, "streams", top)

    return [
        chart("delay from the end of speech to its final, s, 95 %", 6.0, "final_delay_s", "p95"),
        chart("delay from the end of speech to its final, s, 50 %", 6.0, "final_delay_s", "p50"),
        chart("delay until the last word is shown, s, 95 %", 6.0, "last_word_delay_s", "p95"),
        chart("delay until a first word is shown, s, 95 %", 6.0, "first_word_delay_s", "p95"),
        chart("word errors, %", 40.0, "wer_percent"),
        chart("CPU seconds per second of speech", 1.0, "cpu_s_per_audio_s"),
    ]


def main(other_servers: Mapping[str, ServerFactory] | None = None) -> None:
    others = other_servers or {}
    with_speakers = partial(Auricle, has_speakers=True)
    servers: dict[str, ServerFactory] = {NAME: Auricle, WITH_SPEAKERS: with_speakers, **others}
    parser = command_line(__doc__, "live")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--streams", default=STREAMS)
    parser.add_argument("--server", nargs="+", choices=tuple(servers), default=[NAME, *others])
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    print(json.dumps(machine()))
    clips = aligned_clips(arguments.corpus, arguments.model)
    results = []
    print(COLUMNS)
    chosen = [servers[name](arguments.model) for name in arguments.server]
    for streams in map(int, arguments.streams.split(",")):
        yardstick = asyncio.run(measure_yardstick(Settings.load(), rounds=1)).speed
        print(f"yardstick: {yardstick:.2f} x real time on one core", flush=True)
        for server in chosen:
            result = measure(server, clips, streams, arguments.seconds)
            results.append(result | {"yardstick_speed": round(yardstick, 2)})
            print(row(results[-1]), flush=True)
            runs = merged(arguments.out, results)
            report = {"reached": targets(runs), "runs": runs}
            publish(arguments.out, report, "Live streams on one machine", charts(runs))
    show_targets(targets(results))


if __name__ == "__main__":
    main()
