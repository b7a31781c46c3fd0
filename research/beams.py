"""How wide to search, and what speech in another language costs: errors and CPU time, side by side.

    python -m research.beams --model DIR --corpus DIR [--out docs/benchmarks/beams]

All sides share one loaded model and one thread, in turns of eight clips. CPU seconds count
everything from samples to text, what is decoded again included. Read sentences are scored by words,
spelled AN4 clips by characters, these also in noise at 10 dB. Parts that are measured one by one
(``--only``, ``--ways``) are merged into the JSON.

Then a worker's day is put together from the CPU time of read sentences, one in twenty of which
names a wrong language: how much of the time would it be reported as overdue?
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.ctranslate2_model import WhisperBackend
from auricle.engines.whisper.guard import GuardPolicy
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.short_window import (
    EngineCounts,
    ShortWindowEngine,
    ShortWindowPolicy,
)
from auricle.engines.whisper.spec import SPEC
from auricle.engines.whisper.window import FULL_FRAMES, MAX_BATCH_JOBS
from auricle.values.types import Job, JobId, Options, Transcript
from auricle.workers.kinds.asr.speed import OVERDUE_FACTOR, OVERDUE_FLOOR_S
from bench.lib.charts import Bars, draw
from bench.lib.report import machine, write_json
from bench.lib.scoring import Errors, character_errors, paired_difference, total, word_errors
from bench.lib.speech import AN4, READ, Clip, corpus, with_noise

NOISE_DB = 10
NOISY = f"{AN4}, {NOISE_DB} dB"
KINDS = (READ, AN4, NOISY)
LANGUAGES = "languages"
WRONG_LANGUAGES = ("zh", "de", "fr", "ja")
WRONG_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Way:
    """How wide the short window is searched, and the full one at least."""

    name: str
    beam_size: int
    full_beam_size: int


WAYS = (
    Way("1", 1, 1),
    Way("1, doubtful 5", 1, 5),
    Way("2", 2, 1),
    Way("2, doubtful 5", 2, 5),
    Way("5", 5, 1),
)
"""The first is what the others are compared with."""


@dataclass(slots=True)
class Side:
    """One way, and what it made of the clips so far."""

    way: Way
    engine: ShortWindowEngine
    cpu_s: float = 0.0
    errors: list[Errors] = field(default_factory=list)

    def hear(self, clips: Sequence[Clip]) -> None:
        """Decode and score one batch."""
        options = Options(language="en", beam_size=self.way.beam_size)
        jobs = [Job(JobId(clip.name), clip.pcm, options) for clip in clips]
        started_s = time.process_time()
        results = self.engine.transcribe(jobs)
        self.cpu_s += time.process_time() - started_s
        score = word_errors if clips[0].kind == READ else character_errors
        for clip, result in zip(clips, results, strict=True):
            assert isinstance(result, Transcript)
            self.errors.append(score(clip.text, result.text))


def compare(
    backend: WhisperBackend, clips: Sequence[Clip], ways: Sequence[Way] = WAYS
) -> dict[str, Any]:
    """Return the figures of each way on clips of one kind."""
    sides = []
    for way in ways:
        guard = GuardPolicy(full_beam_size=way.full_beam_size)
        sides.append(Side(way, ShortWindowEngine(backend, ShortWindowPolicy(guard=guard))))
    for at in range(0, len(clips), MAX_BATCH_JOBS):
        for side in sides:
            side.hear(clips[at : at + MAX_BATCH_JOBS])
    first, audio_s = sides[0], sum(clip.seconds for clip in clips)
    return {
        side.way.name: {
            "cpu_s_per_audio_s": round(side.cpu_s / audio_s, 4),
            "cpu_ratio": round(side.cpu_s / first.cpu_s, 3),
            "percent": round(total(side.errors).percent, 2),
            "errors": total(side.errors).total,
            "of": total(side.errors).reference,
            "right": sum(errors.total == 0 for errors in side.errors),
            "clips": len(clips),
            "difference": asdict(paired_difference(first.errors, side.errors)),
            "counts": asdict(side.engine.counts),
        }
        for side in sides
    }


def cost(engine: ShortWindowEngine, clip: Clip, options: Options) -> float:
    started_s = time.process_time()
    engine.transcribe([Job(JobId(clip.name), clip.pcm, options)])
    return time.process_time() - started_s


def compare_languages(backend: WhisperBackend, clips: Sequence[Clip]) -> dict[str, Any]:
    """Return what a wrong language costs, and for how long a worker would be overdue for it."""
    engine, options = ShortWindowEngine(backend), Options(language="en", beam_size=1)
    guard = replace(
        GuardPolicy(), foreign_from_frames=FULL_FRAMES + 1
    )  # never detected: decodes all of it
    patient = ShortWindowEngine(backend, ShortWindowPolicy(guard=guard))
    usual, wrong, patient_ratios = [], [], []
    for clip in clips:
        right_s = cost(engine, clip, options)
        usual.append((SPEC.costs.load_s(clip.seconds), right_s))
        for language in WRONG_LANGUAGES:
            wrong_s = cost(engine, clip, replace(options, language=language))
            wrong.append((SPEC.costs.load_s(clip.seconds), wrong_s, wrong_s / right_s, language))
        patient_ratios.append(cost(patient, clip, replace(options, language="ja")) / right_s)
    speed = median(cpu_s / load_s for load_s, cpu_s in usual)

    def overdue(load_s: float, cpu_s: float) -> float:
        return max(0.0, cpu_s - max(OVERDUE_FLOOR_S, OVERDUE_FACTOR * speed * load_s))

    weight = WRONG_SHARE / (1 - WRONG_SHARE) * len(usual) / len(wrong)
    busy_s = sum(cpu_s for _, cpu_s in usual) + weight * sum(each[1] for each in wrong)
    overdue_s = sum(overdue(*each) for each in usual)
    overdue_s += weight * sum(overdue(*each[:2]) for each in wrong)
    ratios = sorted(each[2] for each in wrong)
    return {
        "clips": len(clips),
        "wrong_s": {
            language: {
                "median": round(median(e[1] for e in wrong if e[3] == language), 2),
                "most": round(max(e[1] for e in wrong if e[3] == language), 2),
            }
            for language in WRONG_LANGUAGES
        },
        "right_median_s": round(median(cpu_s for _, cpu_s in usual), 2),
        "times_usual": {"median": round(median(ratios), 1), "most": round(ratios[-1], 1)},
        "times_usual_if_tried_to_the_end": {
            "median": round(median(patient_ratios), 1),
            "most": round(max(patient_ratios), 1),
        },
        "overdue_share_of_busy_time": round(overdue_s / busy_s, 4),
        "counts": asdict(engine.counts),
    }


def show(kind: str, ways: dict[str, dict[str, Any]]) -> None:
    for name, of in ways.items():
        difference = of["difference"]
        print(
            f"{kind:12} beam {name:14} {of['errors']:4} of {of['of']} = {of['percent']:5.2f} %"
            f" ({difference['low']:+.2f} .. {difference['high']:+.2f})"
            f"  right {of['right']:3} of {of['clips']}"
            f"  CPU {of['cpu_s_per_audio_s']:.4f} = {of['cpu_ratio']:.3f}"
            f"  again {of['counts']['fallbacks']}, sampled {of['counts']['sampled']}",
            flush=True,
        )


def picture(kinds: dict[str, dict[str, Any]]) -> tuple[Bars, ...]:
    names = tuple(kinds)
    drawn = [way.name for way in WAYS if all(way.name in of for of in kinds.values())]
    return tuple(
        Bars(title, names, {name: [of[name][key] for of in kinds.values()] for name in drawn})
        for title, key in (
            ("CPU seconds per second of audio, by beam", "cpu_s_per_audio_s"),
            ("Errors in percent (read: words, AN4: characters)", "percent"),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--ways", nargs="+", choices=[way.name for way in WAYS[1:]])
    parser.add_argument("--short", action="store_true", help="every sixth clip, for checks")
    parser.add_argument("--only", choices=(*KINDS, LANGUAGES), help="the rest is kept in the JSON")
    parser.add_argument("--out", type=Path, help="path of the JSON and SVG, without suffix")
    arguments = parser.parse_args()
    clips = corpus(arguments.corpus)[:: 6 if arguments.short else 1]
    settings = EngineSettings(arguments.model, "cpu", "int8", 1)
    backend = load_backend(settings)
    engine = ShortWindowEngine(backend)
    engine.warm_up()
    assert engine.counts == EngineCounts()
    of_kind = {kind: [clip for clip in clips if clip.kind == kind] for kind in (READ, AN4)}
    of_kind[NOISY] = [with_noise(clip, NOISE_DB) for clip in of_kind[AN4][::3]]
    ways = [way for way in WAYS if way is WAYS[0] or way.name in (arguments.ways or [way.name])]
    result: dict[str, Any] = {"machine": machine(), "beams": {}}
    if arguments.only and arguments.out and arguments.out.with_suffix(".json").exists():
        result = json.loads(arguments.out.with_suffix(".json").read_text())
    for kind in KINDS:
        if arguments.only in (None, kind):
            result["beams"].setdefault(kind, {}).update(compare(backend, of_kind[kind], ways))
            show(kind, result["beams"][kind])
    if arguments.only in (None, LANGUAGES):
        result[LANGUAGES] = compare_languages(backend, of_kind[READ][::2])
        print(LANGUAGES, result[LANGUAGES])
    print(result["machine"])
    if arguments.out:
        write_json(arguments.out.with_suffix(".json"), result)
        draw(arguments.out.with_suffix(".svg"), "How wide to search", picture(result["beams"]))


if __name__ == "__main__":
    main()
