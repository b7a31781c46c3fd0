"""What ``max_lag_s`` does on a server with twice the speakers that it holds.

    python -m bench.lag [--streams 48] [--neighbours 6] [--out docs/benchmarks/lag]

All speak in real time to a new ``auricle serve`` that admits them all. Most of them say
``max_lag_s=5``; their neighbours don't. A delay is measured from the end of a final's speech, when
that sample is sent, to the arrival of the final. Dropped speech is that of finals with the error
``too_late``. A clip is missing without a word if it is neither in a final nor in such a gap. The
longest decode is the longest time of a recogniser between two results, as ``/health`` shows it.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection

from auricle.cli.bench.score import percentile
from auricle.cli.bench.stream import Played, framed
from auricle.text.formats.gaps import TOO_LATE
from bench.compare.__main__ import bundled_model
from bench.lib.report import command_line, publish, show_targets
from bench.lib.scoring import Errors, total
from bench.lib.service import Server, running
from bench.lib.speech import CORPUS
from bench.live.auricle import Auricle, stream_url
from bench.live.play import Run, Running, play
from bench.live.score import score_stream
from bench.live.speech import Spoken, Talk, aligned_clips, talk

MAX_LAG_S = 5
HEALTH_EACH_S = 0.1
PATIENCE_S = 90.0
"""Time that neighbours have for their last finals."""


class Clients(Auricle):
    """Clients of which the first ones wait for late finals, and the others do not."""

    def __init__(self, neighbours: int) -> None:
        super().__init__(bundled_model())
        self._patient = neighbours

    @contextmanager
    def running(self, streams: int) -> Iterator[Running]:
        """Start a server with default settings that admits all."""
        with running(live_speakers=streams) as server:
            self.server = server
            yield Running(stream_url(server.url), server.process, lambda: server.health()["live"])

    async def open(self, url: str) -> ClientConnection | None:
        """Open a session."""
        self._patient -= 1
        return await super().open(url if self._patient >= 0 else f"{url}&max_lag_s={MAX_LAG_S}")


@dataclass(slots=True)
class Group:
    """Streams with the same ``max_lag_s``."""

    delays_s: list[float] = field(default_factory=list)
    gaps_s: float = 0.0
    audio_s: float = 0.0
    other_errors: int = 0
    unreported: int = 0
    errors: list[Errors] = field(default_factory=list)

    def add(self, server: Clients, spoken: Talk, played: Played) -> None:
        """Add a stream."""
        gaps: list[tuple[float, float]] = []
        for at_s, message in played.received:
            event = json.loads(message)
            if event["type"] != "final":
                continue
            if event["error"] == TOO_LATE:
                gaps.append((event["start_s"], event["end_s"]))
            elif event["error"]:
                self.other_errors += 1
            else:
                self.delays_s.append(at_s - played.sent(event["end_s"]))
        score = score_stream(spoken, played, server.captions(played.received))
        self.audio_s += spoken.seconds
        self.gaps_s += sum(end_s - start_s for start_s, end_s in gaps)
        self.errors.append(score.errors)
        self.unreported += sum(
            not is_shown and not _is_in(clip, gaps)
            for clip, is_shown in zip(spoken.spoken, score.shown, strict=True)
        )

    def figures(self) -> dict[str, Any]:
        """Return the figures of the streams."""
        return {
            "finals": len(self.delays_s),
            "p50_s": round(percentile(self.delays_s, 50), 2),
            "p95_s": round(percentile(self.delays_s, 95), 2),
            "max_s": round(max(self.delays_s), 2),
            "dropped_percent": round(100 * self.gaps_s / self.audio_s, 1),
            "other_errors": self.other_errors,
            "clips_missing_without_a_gap": self.unreported,
            "wer_percent": round(total(self.errors).percent, 2),
        }


async def watch_decodes(server: Server, longest_s: list[float]) -> None:
    """Append the time that each result of a recogniser took, until cancelled."""
    since: dict[str, tuple[int, float]] = {}
    while True:
        health, now = await asyncio.to_thread(server.health), time.monotonic()
        for worker in health["workers"]:
            done, began_at = since.get(worker["id"], (0, now))
            if worker["jobs_done"] != done:
                longest_s.append(now - began_at)
            if worker["jobs_done"] != done or worker["state"] != "busy":
                since[worker["id"]] = worker["jobs_done"], now
        await asyncio.sleep(HEALTH_EACH_S)


def _is_in(clip: Spoken, gaps: Sequence[tuple[float, float]]) -> bool:
    return any(start_s < clip.end_s and clip.start_s < end_s for start_s, end_s in gaps)


def measure(streams: int, neighbours: int, seconds: float) -> dict[str, Any]:
    """Play the streams to a new server and return the figures."""
    server = Clients(neighbours)
    clips = aligned_clips(CORPUS, bundled_model())
    talks = [talk(clips, i, seconds) for i in range(streams)]
    frames = [framed(server.messages(each.pcm)) for each in talks]
    with server.running(streams) as service:
        lengths_s = [each.seconds for each in talks]
        decodes_s: list[float] = []

        async def watched() -> Run:
            watching = asyncio.create_task(watch_decodes(server.server, decodes_s))
            run = await play(server, service, frames, lengths_s, PATIENCE_S)
            watching.cancel()
            return run

        run = asyncio.run(watched())
    groups = {"neighbours": Group(), "max_lag_s": Group()}
    for number, (spoken, played) in enumerate(zip(talks, run.played, strict=True)):
        group = groups["neighbours" if number < neighbours else "max_lag_s"]
        group.add(server, spoken, played)
    figures = {name: group.figures() for name, group in groups.items()}
    return {"longest_decode_s": round(max(decodes_s), 2), **figures}


def targets(figures: dict[str, Any]) -> dict[str, bool]:
    """Return which targets are reached."""
    lagged, neighbours = figures["max_lag_s"], figures["neighbours"]
    return {
        "finals are at most max_lag_s and a decode late": lagged["max_s"]
        <= MAX_LAG_S + figures["longest_decode_s"] + HEALTH_EACH_S,
        "all missing speech is reported": not lagged["clips_missing_without_a_gap"],
        "neighbours lose no word": not (
            neighbours["clips_missing_without_a_gap"]
            or neighbours["other_errors"]
            or neighbours["dropped_percent"]
        ),
    }


def main() -> None:
    parser = command_line(__doc__, "lag")
    parser.add_argument("--streams", type=int, default=48)
    parser.add_argument("--neighbours", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    figures = measure(arguments.streams, arguments.neighbours, arguments.seconds)
    for name, group in figures.items():
        print(f"{name}: {group}")
    reached = targets(figures)
    publish(arguments.out, {"reached": reached, "streams": arguments.streams, **figures})
    show_targets(reached)


if __name__ == "__main__":
    main()
