"""Compare this version with earlier ones: live streams and files, the same speech, in turns.

    make compare REF="dd8183c 8a1b5cb1" [ARGS="--streams 1,8,16,24,32 --rounds 3 --seconds 30"]

Each reference is set up in its own environment, with the packages that its ``make run`` installs.
Every version runs with its default settings, but has room for all streams. A number of streams is
played to each version in turn, in another order in each round, and a recording of 5 minutes is
transcribed after it.

Delays count from the end of an utterance's last word, when that sample is sent, to its final and,
apart, to the first caption of any kind that shows the word. A figure of this version is divided by
the reference's; intervals contain 90 % (utterances drawn with replacement, the same for both).
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2

from auricle.cli.bench.stream import framed
from auricle.cli.bench.yardstick import measure_yardstick
from auricle.config.settings import Settings
from auricle.engines.registry import find_engine
from bench.compare.figures import DELAYS, PERCENTS, Runs, compare
from bench.compare.versions import MODELS, THIS, Version, set_up, this_version
from bench.lib.audio import as_wav
from bench.lib.charts import Lines
from bench.lib.report import command_line, publish
from bench.lib.scoring import word_errors
from bench.lib.service import Server
from bench.lib.speech import CORPUS
from bench.live.auricle import Auricle, stream_url
from bench.live.play import Running, play
from bench.live.score import score_stream
from bench.live.speech import AlignedClip, Talk, aligned_clips, talk

STREAMS = "1,8,16,24,32"
MIN_STREAMS = 3
"""Fewer streams play longer: as long as this number together."""
PATIENCE_S = 60.0
FILE_S = 300.0
FILE_LIMIT_S = 600.0
HEADINGS = {
    "final": "finals",
    "last_word": "last word shown",
    "first_word": "first word shown",
}


def play_live(server: Server, talks: Sequence[Talk], into: Runs) -> None:
    """Play streams to a server, and add the results to the runs of its version."""
    protocol = Auricle(MODELS)
    frames = [framed(protocol.messages(one.pcm)) for one in talks]
    running = Running(stream_url(server.url), server.process, dict)
    run = asyncio.run(play(protocol, running, frames, [t.seconds for t in talks], PATIENCE_S))
    partials = 0
    for one, played in zip(talks, run.played, strict=True):
        into.refused += played.is_refused
        score = score_stream(one, played, protocol.captions(played.received))
        into.delays_s["final"] += score.final_delays_s
        into.delays_s["last_word"] += score.last_word_delays_s
        into.delays_s["first_word"] += score.first_word_delays_s
        into.errors.append(score.errors)
        clips = zip(one.spoken, score.shown, strict=True)
        into.missing_words += sum(len(clip.words) for clip, shown in clips if not shown)
        partials += score.partials
    into.partials_per_s.append(partials / sum(one.seconds for one in talks))
    into.cpu_s.append(run.cpu_s / run.audio_s)
    into.memory_mb.append(run.memory_bytes / 1e6)


def transcribe_file(server: Server, speech: Talk) -> dict[str, float]:
    """Transcribe a recording; return the seconds that it took and its word errors in percent."""
    began_at = time.monotonic()
    answer = httpx2.post(
        f"{server.url}/v1/audio/transcriptions",
        files={"file": ("speech.wav", as_wav(speech.pcm), "audio/wav")},
        data={"model": "whisper-1", "language": "en"},
        timeout=FILE_LIMIT_S,
    )
    answer.raise_for_status()
    errors = word_errors(speech.text, answer.json()["text"])
    return {
        "seconds": round(time.monotonic() - began_at, 2),
        "wer_percent": round(errors.percent, 2),
    }


class Comparison:
    """All runs so far.

    Args:
        versions: This version, then the references.
        clips: The speech.
        seconds: Length of a stream.
    """

    def __init__(
        self, versions: Sequence[Version], clips: Sequence[AlignedClip], seconds: float
    ) -> None:
        self._versions = versions
        self._clips = clips
        self._seconds = seconds
        self.runs: dict[int, dict[str, Runs]] = defaultdict(lambda: defaultdict(Runs))
        self.files: dict[str, list[dict[str, float]]] = defaultdict(list)
        self.yardsticks: list[float] = []

    def play_round(self, number: int, streams: int) -> None:
        """Play a number of streams to each version, beginning with another one in each round."""
        first = number % len(self._versions)
        seconds = self._seconds * max(1.0, MIN_STREAMS / streams)
        talks = [talk(self._clips, 100 * number + i, seconds) for i in range(streams)]
        for version in [*self._versions[first:], *self._versions[:first]]:
            with version.running() as server:
                play_live(server, talks, self.runs[streams][version.name])
            print(f"round {number + 1}, {streams} streams, {version.name} done", flush=True)

    def play_file(self, number: int) -> None:
        """Transcribe the recording with each version."""
        speech = talk(self._clips, 10_000 + number, FILE_S)
        for version in self._versions:
            with version.running() as server:
                self.files[version.name].append(transcribe_file(server, speech))

    def measure_yardstick(self) -> None:
        """Note the speed of the machine now."""
        speed = asyncio.run(measure_yardstick(Settings.load(), rounds=1)).speed
        self.yardsticks.append(round(speed, 2))

    def report(self) -> dict[str, Any]:
        """Return all figures and ratios, for the JSON."""
        return {
            "seconds": self._seconds,
            "yardsticks": self.yardsticks,
            "live": {
                str(streams): {
                    "figures": {name: runs.figures() for name, runs in by_version.items()},
                    "ratios": {
                        name: {key: r.json() for key, r in compare(by_version[THIS], runs).items()}
                        for name, runs in by_version.items()
                        if name != THIS
                    },
                }
                for streams, by_version in self.runs.items()
            },
            "files": dict(self.files),
        }

    def table(self) -> list[str]:
        """Return the table of figures and ratios."""
        lines = []
        for streams, by_version in self.runs.items():
            lines.append(f"\n{streams} streams")
            for name, runs in by_version.items():
                f = runs.figures()
                delays = "  ".join(
                    f"{HEADINGS[d]} {' / '.join(_seconds(f[f'{d}_{p}_s']) for p in PERCENTS)} s"
                    for d in DELAYS
                )
                lines.append(
                    f"  {name:9} {delays}  {f['partials_per_s']:.2f} partials/s  "
                    f"{f['missing_words']} words missing  WER {f['wer_percent']:.2f} %  "
                    f"CPU {f['cpu_s_per_audio_s']:.3f}  {f['memory_mb']} MB"
                    + (f"  {f['refused']} REFUSED" if f["refused"] else "")
                )
            for name, runs in by_version.items():
                if name == THIS:
                    continue
                ratios = compare(by_version[THIS], runs)
                cells = [
                    f"{HEADINGS[d]} {ratios[f'{d}_50_s']}, {ratios[f'{d}_95_s']}" for d in DELAYS
                ]
                cells += [f"CPU {ratios['cpu_s']}", f"memory {ratios['memory_mb']}"]
                lines.append(f"  / {name}: " + "; ".join(cells))
        for name, files in self.files.items():
            took = ", ".join(f"{f['seconds']:.1f} s (WER {f['wer_percent']:.1f} %)" for f in files)
            lines.append(f"file of 5 minutes, {name}: {took}")
        lines.append(f"yardstick: {self.yardsticks} x real time on one core")
        return lines

    def charts(self) -> list[Lines]:
        """Return the delays by the number of streams, a line for each version."""
        return [
            Lines(
                f"{HEADINGS[delay]}, s, {percent} %",
                {
                    version.name: [
                        (streams, runs[version.name].figures()[f"{delay}_{percent}_s"])
                        for streams, runs in self.runs.items()
                    ]
                    for version in self._versions
                },
                "streams",
            )
            for delay in DELAYS
            for percent in PERCENTS
        ]


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f}"


def main() -> None:
    parser = command_line(__doc__, "compare")
    parser.add_argument("refs", nargs="+", metavar="COMMIT")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--streams", default=STREAMS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--no-files", action="store_true")
    arguments = parser.parse_args()
    versions = [this_version(), *map(set_up, arguments.refs)]
    clips = aligned_clips(arguments.corpus, bundled_model())
    comparison = Comparison(versions, clips, arguments.seconds)
    levels = [int(each) for each in arguments.streams.split(",")]
    for number in range(arguments.rounds):
        comparison.measure_yardstick()
        for streams in levels:
            comparison.play_round(number, streams)
        if not arguments.no_files:
            comparison.play_file(number)
        publish(
            arguments.out, comparison.report(), "This version and earlier ones", comparison.charts()
        )
    print("\n".join(comparison.table()))


def bundled_model() -> Path:
    """Return the folder of the bundled model, which finds the words' times in the speech."""
    settings = Settings.load({"cache_dir": MODELS}).model
    return Path(find_engine(settings.engine).models.find(settings).path)


if __name__ == "__main__":
    main()
