"""Long files: faster-whisper's BatchedInferencePipeline against chunks of 10 s in sorted batches.

    python -m bench.files --model DIR --corpus DIR [--minutes 30] [--out docs/benchmarks/files]

The file is the corpus's read sentences and synthetic speech, joined with pauses. Both detect speech
with Silero and have one thread; seconds are CPU seconds from samples to text. Both return a segment
for each chunk; ``timed`` is our cost with times for every sentence, as subtitles need them (the
text is the same).
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline

from auricle.audio.chunks import CutRules, find_chunks
from auricle.engines.base import EngineSettings
from auricle.engines.whisper.ctranslate2_model import WhisperBackend
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.short_window import EngineCounts, ShortWindowEngine
from auricle.engines.whisper.window import MAX_BATCH_JOBS
from auricle.values.types import SAMPLE_RATE_HZ, Chunk, Job, JobId, Options, Pcm16, Transcript
from bench.lib.charts import Bars
from bench.lib.engine import load_whisper
from bench.lib.report import command_line, publish
from bench.lib.scoring import word_errors
from bench.lib.speech import READ, SPOKEN, Clip, corpus, joined, say, sentence
from tests.support.batching import transcribe_sorted

PIECE_S = 11
PAUSES_S = (0.4, 0.7, 0.3, 1.2, 0.5, 2.5)
MIN_SPEED_UP = 1.5
MAX_POINTS_WORSE = 0.3


def long_file(directory: Path, minutes: float) -> tuple[Pcm16, str]:
    """Return a long recording and its text."""
    chance = random.Random(3)
    clips = [clip for clip in corpus(directory) if clip.kind == READ]
    while sum(clip.seconds for clip in clips) < minutes * 60 * 0.9:
        text = sentence(chance)
        pcm = say(text, chance.choice((0.9, 1.0, 1.1, 1.2)))
        clips.append(Clip(f"spoken-{len(clips)}", SPOKEN, pcm, text))
    chance.shuffle(clips)
    return joined(clips, PAUSES_S)


def cut(pcm: Pcm16, piece_s: float) -> list[Chunk]:
    """Find the speech and cut it at silences."""
    return find_chunks(pcm, CutRules(target_samples=int(piece_s * SAMPLE_RATE_HZ)))


class StageTimes:
    """CPU seconds of the stages of recognition, and how often each ran.

    Args:
        backend: Its methods are timed from now on.
    """

    STAGES = ("features", "encode", "generate", "sample", "align")

    def __init__(self, backend: WhisperBackend) -> None:
        self.cpu_s = dict.fromkeys(("cut", *self.STAGES), 0.0)
        self.calls = dict.fromkeys(self.cpu_s, 0)
        for name in self.STAGES:
            setattr(backend, name, partial(self.time, name, getattr(backend, name)))

    def time(self, stage: str, run: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Run a function and count its CPU time for a stage."""
        started_s = time.process_time()
        try:
            return run(*arguments, **options)
        finally:
            self.cpu_s[stage] += time.process_time() - started_s
            self.calls[stage] += 1

    def take(self) -> dict[str, dict[str, float]]:
        """Return the figures since the last call."""
        figures = {
            name: {"cpu_s": round(self.cpu_s[name], 2), "calls": self.calls[name]}
            for name in self.cpu_s
        }
        self.cpu_s, self.calls = dict.fromkeys(self.cpu_s, 0.0), dict.fromkeys(self.calls, 0)
        return figures


def ours(
    engine: ShortWindowEngine,
    stages: StageTimes,
    pcm: Pcm16,
    beam_size: int,
    piece_s: float,
    *,
    sentence_times: bool = False,
) -> tuple[str, dict[str, Any]]:
    engine.counts = EngineCounts()
    started_s = time.process_time()
    pieces = stages.time("cut", cut, pcm, piece_s)
    options = Options(
        language="en", beam_size=beam_size, is_chunk=True, sentence_times=sentence_times
    )
    jobs = [Job(JobId(str(i)), piece.pcm, options) for i, piece in enumerate(pieces)]
    results = transcribe_sorted(engine, jobs)
    cpu_s = time.process_time() - started_s
    texts = [result.text for result in results if isinstance(result, Transcript)]
    figures = {"cpu_s": round(cpu_s, 2), "pieces": len(pieces), "counts": asdict(engine.counts)}
    figures["stages"] = stages.take()
    return " ".join(texts), figures


def theirs(
    pipeline: BatchedInferencePipeline, pcm: Pcm16, beam_size: int
) -> tuple[str, dict[str, Any]]:
    started_s = time.process_time()
    segments, _ = pipeline.transcribe(
        pcm.astype(np.float32) / 32768,
        language="en",
        beam_size=beam_size,
        batch_size=MAX_BATCH_JOBS,
    )
    text = "".join(segment.text for segment in segments)
    return text, {"cpu_s": round(time.process_time() - started_s, 2)}


def scored(reference: str, transcribed: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    text, figures = transcribed
    errors = word_errors(reference, text)
    return figures | {"percent": round(errors.percent, 2), "errors": asdict(errors)}


def compare(
    model: str, pcm: Pcm16, text: str, beam_sizes: Sequence[int], piece_s: float
) -> dict[str, dict[str, Any]]:
    whisper = load_whisper(model)
    pipeline = BatchedInferencePipeline(whisper)
    backend = load_backend(EngineSettings(model, "cpu", "int8", 1))
    engine = ShortWindowEngine(backend)
    engine.warm_up()
    stages = StageTimes(backend)
    figures = {}
    for beam_size in beam_sizes:
        first = scored(text, theirs(pipeline, pcm, beam_size))
        second = scored(text, ours(engine, stages, pcm, beam_size, piece_s))
        timed = second
        if beam_size > 1:  # with greedy decoding the times cost nothing
            timed = scored(text, ours(engine, stages, pcm, beam_size, piece_s, sentence_times=True))
        speed_up = first["cpu_s"] / second["cpu_s"]
        points = second["percent"] - first["percent"]
        passes = speed_up >= MIN_SPEED_UP and points <= MAX_POINTS_WORSE
        figures[f"beam {beam_size}"] = {
            "faster_whisper": first,
            "ours": second,
            "timed": timed,
            "speed_up": round(speed_up, 2),
            "passes": passes,
        }
        print(
            f"beam {beam_size}: {first['percent']} % in {first['cpu_s']} s -> "
            f"{second['percent']} % in {second['cpu_s']} s = {speed_up:.2f} times as fast, "
            f"{second['counts']}  {'ok' if passes else 'MISSED'}; "
            f"sentences timed: {timed['percent']} % in {timed['cpu_s']} s",
            flush=True,
        )
    return figures


def charts(beams: dict[str, dict[str, Any]]) -> list[Bars]:
    sides = (
        ("BatchedInferencePipeline, batch 8", "faster_whisper"),
        ("Auricle", "ours"),
        ("Auricle, sentences timed", "timed"),
    )
    return [
        Bars(title, tuple(beams), {n: [of[k][field] for of in beams.values()] for n, k in sides})
        for title, field in (("CPU seconds", "cpu_s"), ("Word errors in percent", "percent"))
    ]


def main() -> None:
    parser = command_line(__doc__, "files")
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--piece-s", type=float, default=PIECE_S)
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5])
    arguments = parser.parse_args()
    pcm, text = long_file(arguments.corpus, arguments.minutes)
    audio_s = pcm.size / SAMPLE_RATE_HZ
    print(f"{audio_s / 60:.1f} minutes", flush=True)
    beams = compare(arguments.model, pcm, text, arguments.beams, arguments.piece_s)
    result = {"audio_s": round(audio_s, 1), "beams": beams}
    publish(arguments.out, result, f"A file of {audio_s / 60:.0f} minutes", charts(beams))


if __name__ == "__main__":
    main()
