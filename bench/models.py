"""Errors and CPU time of the models on this machine, with faster-whisper in the same run.

    python -m bench.models --corpus DIR [--models "whisper-base, tiny=moonshine:DIR"]
        [--kinds read an4] [--out docs/benchmarks/models]

Without ``--models``, every model on this machine with a name that the engines list. Each model is
loaded in this process with one thread. They take turns with the yardstick, faster-whisper with
Whisper base: eight clips each, the yardstick one by one, an engine in batches as its rules allow.
CPU seconds count everything from samples to text, so they may be compared on a busy machine, best
as multiples of the yardstick's. Read sentences are scored by words, spelled ones by characters.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from auricle.config.sections.model import ModelSettings
from auricle.engines.base import Engine, EngineSettings
from auricle.engines.registry import BUILT_IN, find_engine, find_factory
from auricle.engines.whisper.models.bundled import ensure_bundled_base
from auricle.multi_model.table import parse_table
from auricle.values.types import Job, JobId, Options, Transcript
from bench.lib.charts import Bars
from bench.lib.engine import load_whisper
from bench.lib.report import command_line, publish
from bench.lib.scoring import Errors, character_errors, total, word_errors
from bench.lib.speech import AN4, CORPUS, READ, Clip, corpus

YARDSTICK = "faster-whisper"
TURN = 8
OPTIONS = Options(language="en", beam_size=1)


@dataclass(slots=True)
class Side:
    """One model: how it transcribes some clips, and what that has taken."""

    name: str
    engine: Engine | None
    batch: int
    cpu_s: float = 0.0
    errors: list[Errors] = field(default_factory=list)
    yardstick: Any = None

    def take(self, clips: Sequence[Clip]) -> None:
        """Transcribe clips and count time and errors."""
        score = character_errors if clips[0].kind == AN4 else word_errors
        started_s = time.process_time()
        texts = [
            text
            for at in range(0, len(clips), self.batch)
            for text in self._texts(clips[at : at + self.batch])
        ]
        self.cpu_s += time.process_time() - started_s
        self.errors += [score(clip.text, text) for clip, text in zip(clips, texts, strict=True)]

    def _texts(self, clips: Sequence[Clip]) -> Iterator[str]:
        if self.engine is None:
            for clip in clips:
                samples = clip.pcm.astype(np.float32) / 32768
                segments, _ = self.yardstick.transcribe(samples, language="en", beam_size=1)
                yield "".join(segment.text for segment in segments)
            return
        for result in self.engine.transcribe([Job(JobId(c.name), c.pcm, OPTIONS) for c in clips]):
            yield result.text if isinstance(result, Transcript) else ""


def installed() -> tuple[str, ...]:
    """Return an entry of ``AURICLE_MODELS`` for each named model on this machine."""
    cache_dir = ModelSettings().cache_dir
    return tuple(
        f"{engine}-{model.name.rpartition('/')[2]}={engine}:{model.name}"
        for engine in BUILT_IN
        if engine != YARDSTICK
        for model in find_engine(engine).models.named(cache_dir)
        if model.is_local
    )


def sides(entries: Sequence[str]) -> list[Side]:
    """Load the yardstick and the models."""
    base = load_whisper(str(ensure_bundled_base(ModelSettings().cache_dir)))
    loaded = [Side(YARDSTICK, None, 1, yardstick=base)]
    for model in parse_table(entries, ModelSettings()):
        found = model.engine.models.find(model.settings)
        settings = EngineSettings(found.path, "cpu", model.settings.compute_type, 1)
        engine = find_factory(model.settings.engine)(settings)
        engine.warm_up()
        loaded.append(Side(model.name, engine, min(TURN, model.engine.batches.max_jobs)))
    return loaded


def compare(models: Sequence[Side], clips: Sequence[Clip]) -> list[dict[str, Any]]:
    """Return errors and CPU time of each model on clips of one kind."""
    audio_s = sum(clip.seconds for clip in clips)
    for side in models:
        side.cpu_s, side.errors = 0.0, []
    for at in range(0, len(clips), TURN):
        for side in models:
            side.take(clips[at : at + TURN])
    return [
        {
            "model": side.name,
            "batch": side.batch,
            "percent": round(total(side.errors).percent, 2),
            "errors": asdict(total(side.errors)),
            "cpu_s_per_audio_s": round(side.cpu_s / audio_s, 4),
            "of_yardstick": round(side.cpu_s / models[0].cpu_s, 3),
        }
        for side in models
    ]


def main() -> None:
    parser = command_line(__doc__, "models")
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--models", type=lambda text: text.split(","), help="as AURICLE_MODELS")
    parser.add_argument("--kinds", nargs="+", choices=(READ, AN4), default=[READ, AN4])
    arguments = parser.parse_args()
    models = sides(arguments.models or installed())
    clips, results = corpus(arguments.corpus), {}
    print(f"{'':6} {'model':28} {'batch':>5} {'errors':>8} {'CPU s / s':>10} {'of yardstick':>13}")
    for kind in arguments.kinds:
        results[kind] = compare(models, [clip for clip in clips if clip.kind == kind])
        for row in results[kind]:
            print(
                f"{kind:6} {row['model']:28} {row['batch']:5} {row['percent']:6.2f} %"
                f" {row['cpu_s_per_audio_s']:10.4f} {row['of_yardstick']:13.3f}",
                flush=True,
            )
    charts = [
        Bars(
            title,
            tuple(results),
            {s.name: [of[i][key] for of in results.values()] for i, s in enumerate(models)},
        )
        for title, key in (
            ("CPU seconds per second of audio, one thread", "cpu_s_per_audio_s"),
            ("Errors in percent (read: words, AN4: characters)", "percent"),
        )
    ]
    publish(arguments.out, {"kinds": results}, "Models on one core", charts)


if __name__ == "__main__":
    main()
