"""faster-whisper against the short-window engine: errors, CPU time, loops, word times, languages.

    python -m bench.engine --model DIR --corpus DIR [--out docs/benchmarks/engine]

Both run in one process with one thread each, in turns of eight clips: faster-whisper one by one,
as its ``transcribe`` works, ours as one batch. CPU seconds count everything from samples to text,
fallbacks included. Read sentences are scored by words, spelled AN4 clips by characters.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

from auricle.engines.plausibility import first_repeat
from auricle.engines.whisper.short_window import EngineCounts
from auricle.engines.whisper.window import MAX_BATCH_JOBS
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Options, Transcript
from bench.lib.charts import Bars
from bench.lib.engine import load_engine, load_whisper
from bench.lib.report import command_line, publish
from bench.lib.scoring import Errors, character_errors, paired_difference, total, word_errors
from bench.lib.speech import AN4, READ, Clip, corpus

KINDS = (READ, AN4)
MAX_OF_ITS_CPU = {READ: 0.35, AN4: 0.5}
MAX_POINTS_WORSE = 0.3
LOOP_INSERTIONS = 10


@dataclass(slots=True)
class Side:
    """What one engine did with one kind of clips at one beam size."""

    cpu_s: float = 0.0
    errors: list[Errors] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Return the figures."""
        counted = total(self.errors)
        return {
            "cpu_s": round(self.cpu_s, 2),
            "percent": round(counted.percent, 2),
            "errors": asdict(counted),
            "loops": sum(
                errors.insertions >= LOOP_INSERTIONS
                or first_repeat([hash(w) for w in text.split()]) is not None
                for errors, text in zip(self.errors, self.texts, strict=True)
            ),
        }


class Duel:
    """The engines over one loaded model each."""

    def __init__(self, model: str) -> None:
        self.theirs = load_whisper(model)
        self.ours = load_engine(model)
        self.ours.warm_up()
        list(self.theirs.transcribe(np.zeros(SAMPLE_RATE_HZ, np.float32), language="en")[0])

    def transcribe_theirs(self, clip: Clip, options: Options) -> tuple[list[Any], str]:
        """Return faster-whisper's segments and language."""
        segments, info = self.theirs.transcribe(
            clip.pcm.astype(np.float32) / 32768,
            language=options.language,
            beam_size=options.beam_size,
            word_timestamps=options.word_timestamps,
            condition_on_previous_text=False,
        )
        return list(segments), info.language

    def transcribe_ours(self, clips: Sequence[Clip], options: Options) -> list[Transcript]:
        """Return our transcripts of one batch."""
        jobs = [Job(JobId(clip.name), clip.pcm, options) for clip in clips]
        return [result for result in self.ours.transcribe(jobs) if isinstance(result, Transcript)]


def compare(duel: Duel, clips: Sequence[Clip], beam_size: int) -> dict[str, Any]:
    """Return errors and CPU time of both on clips of one kind."""
    options = Options(language="en", beam_size=beam_size)
    score = character_errors if clips[0].kind == AN4 else word_errors
    theirs, ours = Side(), Side()
    duel.ours.counts = EngineCounts()
    for batch in batches(clips):
        started_s = time.process_time()
        segments_of = [duel.transcribe_theirs(clip, options)[0] for clip in batch]
        turned_s = time.process_time()
        transcripts = duel.transcribe_ours(batch, options)
        ended_s = time.process_time()
        theirs.cpu_s += turned_s - started_s
        ours.cpu_s += ended_s - turned_s
        theirs.texts += ["".join(segment.text for segment in segments) for segments in segments_of]
        ours.texts += [transcript.text for transcript in transcripts]
    for side in (theirs, ours):
        pairs = zip(clips, side.texts, strict=True)
        side.errors = [score(clip.text, text) for clip, text in pairs]
    difference = paired_difference(theirs.errors, ours.errors)
    share = ours.cpu_s / theirs.cpu_s
    return {
        "clips": len(clips),
        "audio_s": round(sum(clip.seconds for clip in clips), 1),
        "faster_whisper": theirs.summary(),
        "ours": ours.summary() | {"counts": asdict(duel.ours.counts)},
        "cpu_share": round(share, 3),
        "difference": {key: round(value, 2) for key, value in asdict(difference).items()},
        "is_worse_beyond_chance": difference.is_worse_beyond_chance,
        "passes": share <= MAX_OF_ITS_CPU[clips[0].kind]
        and not difference.is_worse_beyond_chance
        and difference.points <= MAX_POINTS_WORSE
        and ours.summary()["loops"] == 0,
    }


def batches(clips: Sequence[Clip]) -> list[Sequence[Clip]]:
    return [clips[at : at + MAX_BATCH_JOBS] for at in range(0, len(clips), MAX_BATCH_JOBS)]


def compare_words(duel: Duel, clips: Sequence[Clip]) -> dict[str, Any]:
    """Return how far apart both put the starts and ends of words that both recognised."""
    options = Options(language="en", beam_size=1, word_timestamps=True)
    distances_s: list[float] = []
    for batch in batches(clips):
        for clip, transcript in zip(batch, duel.transcribe_ours(batch, options), strict=True):
            segments, _ = duel.transcribe_theirs(clip, options)
            theirs = [
                (word.word.strip(), word.start, word.end)
                for segment in segments
                for word in segment.words
            ]
            ours = [
                (word.text.strip(), word.start_sample / 16_000, word.end_sample / 16_000)
                for segment in transcript.segments
                for word in segment.words or ()
            ]
            distances_s += word_distances(theirs, ours)
    median_s, p95_s = np.percentile(distances_s, [50, 95])
    return {
        "times": len(distances_s),
        "median_s": round(float(median_s), 3),
        "p95_s": round(float(p95_s), 3),
        "passes": bool(median_s <= 0.02 and p95_s <= 0.06),
    }


Spans = Sequence[tuple[str, float, float]]


def word_distances(theirs: Spans, ours: Spans) -> list[float]:
    matcher = SequenceMatcher(None, [w[0] for w in theirs], [w[0] for w in ours], autojunk=False)
    distances_s = []
    for block in matcher.get_matching_blocks():
        for i in range(block.size):
            (_, *first), (_, *second) = theirs[block.a + i], ours[block.b + i]
            distances_s += [abs(a - b) for a, b in zip(first, second, strict=True)]
    return distances_s


def compare_languages(duel: Duel, clips: Sequence[Clip]) -> dict[str, Any]:
    """Return the clips on which the detected languages differ."""
    options = Options(language=None, beam_size=1)
    differing = []
    for batch in batches(clips):
        for clip, transcript in zip(batch, duel.transcribe_ours(batch, options), strict=True):
            theirs = duel.theirs.detect_language(clip.pcm.astype(np.float32) / 32768)[0]
            if transcript.language != theirs:
                languages = {"faster_whisper": theirs, "ours": transcript.language}
                differing.append({"clip": clip.name, "is": clip.language} | languages)
    return {"clips": len(clips), "differing": differing, "passes": not differing}


def show(name: str, figures: dict[str, Any]) -> None:
    theirs, ours = figures["faster_whisper"], figures["ours"]
    print(
        f"{name:14} {theirs['percent']:6.2f} % -> {ours['percent']:6.2f} %"
        f"  ({figures['difference']['low']:+.2f} .. {figures['difference']['high']:+.2f})"
        f"   CPU {theirs['cpu_s']:7.2f} s -> {ours['cpu_s']:7.2f} s = {figures['cpu_share']:.2f}"
        f"   loops {theirs['loops']} -> {ours['loops']}"
        f"   {'ok' if figures['passes'] else 'MISSED'}",
        flush=True,
    )


def charts(duels: dict[str, dict[str, Any]]) -> list[Bars]:
    sides = [("faster-whisper", "faster_whisper"), ("Auricle", "ours")]
    cpu = {side: [of[key]["cpu_s"] / of["audio_s"] for of in duels.values()] for side, key in sides}
    errors = {side: [of[key]["percent"] for of in duels.values()] for side, key in sides}
    return [
        Bars("CPU seconds per second of audio, one thread", tuple(duels), cpu),
        Bars("Errors in percent (read: words, AN4: characters)", tuple(duels), errors),
    ]


def main() -> None:
    parser = command_line(__doc__, "engine")
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--only", choices=KINDS, nargs="+", help="these clips, and nothing else")
    arguments = parser.parse_args()
    clips = corpus(arguments.corpus)
    duel = Duel(arguments.model)
    duels = {}
    for beam_size in arguments.beams:
        for kind in arguments.only or KINDS:
            name = f"{kind}, beam {beam_size}"
            duels[name] = compare(duel, [clip for clip in clips if clip.kind == kind], beam_size)
            show(name, duels[name])
    result: dict[str, Any] = {"duels": duels}
    if not arguments.only:
        result["words"] = compare_words(duel, [clip for clip in clips if clip.kind == READ])
        print("words", result["words"], flush=True)
        result["languages"] = compare_languages(duel, clips)
        print("languages", result["languages"])
    publish(arguments.out, result, "Short window against faster-whisper", charts(duels))


if __name__ == "__main__":
    main()
