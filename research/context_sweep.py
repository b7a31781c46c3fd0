"""How short Whisper's window may be: errors, loops and CPU time by lead, floor, tail and guard.

    python -m research.context_sweep --model DIR --corpus DIR [--decodings FILE] [--out PATH]

Each clip is decoded at each encoder length that a setting might choose for it, with and without
silence put before it, alone, at beam 1 and beam 5. Leads, floors, tails and guards are then
arithmetic on those decodings (:mod:`research.context_settings`), which are kept in a file of JSON
lines: an interrupted run continues, and another question needs no second run. ``grey`` is
faster-whisper's own window, 30 s padded with 0; all others pad with digital silence as OpenAI's
Whisper does. Seconds are CPU seconds of one thread.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.guard import Attempt
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.prompt import Prompt
from auricle.engines.whisper.window import (
    FULL_FRAMES,
    MAX_NEW_TOKENS,
    Features,
    TokenLimit,
    WindowPolicy,
    is_clean,
    padded,
    silence_of,
)
from auricle.values.types import Task
from bench.lib.charts import draw
from bench.lib.report import machine, write_json
from bench.lib.scoring import character_errors, word_errors
from bench.lib.speech import AN4, OTHER, READ, Clip, corpus, spoken, with_noise
from research.context_settings import LEADS, Decoded, pictures, report, settings

BEAM_SIZES = (1, 5)
SNRS_DB = (20.0, 10.0, 5.0)
NOISY_EACH = {READ: 5, AN4: 6}
"""One in this number of real clips is also measured with noise, and one synthetic clip of four."""


def clips_to_measure(directory: Path) -> Iterator[Clip]:
    real = [clip for clip in corpus(directory) if clip.kind != OTHER]
    synthetic = spoken()
    yield from real
    yield from synthetic
    noisy = [
        *itertools.chain(
            *([clip for clip in real if clip.kind == kind][::n] for kind, n in NOISY_EACH.items())
        ),
        *synthetic[::4],
    ]
    for snr_db in SNRS_DB:
        for clip in noisy:
            noisy = with_noise(clip, snr_db)
            yield Clip(noisy.name, f"{clip.kind}@{snr_db:g}dB", noisy.pcm, clip.text)


def lengths_for(frames: int) -> list[int]:
    """Return the lengths that some floor and tail would choose for a number of frames."""
    chosen = {setting.policy.frames_for(frames) for setting in settings() if setting.policy}
    return sorted(chosen | {FULL_FRAMES})


class Sweeper:
    """Decodes clips at every length that holds them."""

    def __init__(self, model: str) -> None:
        self._backend = load_backend(EngineSettings(model, "cpu", "int8", 1))
        self._tokenizer = self._backend.tokenizer("en", Task.TRANSCRIBE)
        self._prompt = Prompt((), tuple(self._tokenizer.sot_sequence))

    def decode(self, clip: Clip) -> Iterator[Decoded]:
        """Decode one clip at all leads and lengths."""
        may_lead = WindowPolicy().lead_for(clip.pcm) > 0
        for lead in LEADS if may_lead else (0,):
            features = self._backend.features(clip.pcm, lead)
            for frames in lengths_for(features.shape[1]):
                yield from self._decode(clip, features, lead, frames, is_grey=False)
        features = self._backend.features(clip.pcm)
        yield from self._decode(clip, features, 0, FULL_FRAMES, is_grey=True)

    def _decode(
        self, clip: Clip, features: Features, lead: int, frames: int, *, is_grey: bool
    ) -> Iterator[Decoded]:
        silence = 0.0 if is_grey else silence_of(features)
        limit = TokenLimit().tokens_for(frames) if frames < FULL_FRAMES else MAX_NEW_TOKENS
        score = character_errors if clip.kind.startswith(AN4) else word_errors
        started_s = time.process_time()
        encoded = self._backend.encode([padded(features, frames, silence)])
        encode_s = time.process_time() - started_s
        for beam_size in BEAM_SIZES:
            started_s = time.process_time()
            (found,) = self._backend.generate(encoded, [self._prompt], beam_size, limit)
            cpu_s = encode_s + time.process_time() - started_s
            text = self._tokenizer.decode(list(found.tokens))
            attempt = Attempt(
                found.tokens,
                text,
                found.avg_logprob,
                found.no_speech_prob,
                is_cut=len(found.tokens) >= limit,
            )
            yield Decoded(
                clip.name,
                clip.kind,
                round(clip.seconds, 2),
                features.shape[1] - lead,
                is_clean(clip.pcm),
                is_grey,
                lead,
                frames,
                beam_size,
                attempt,
                score(clip.text, text),
                round(cpu_s, 4),
            )


def decode_part(arguments: tuple[str, Path, int, int, Path]) -> None:
    """Decode every n-th clip that the file doesn't have; append to it."""
    model, directory, part, parts, path = arguments
    known = {decoded.clip for decoded in read(path)}
    mine = list(clips_to_measure(directory))[part::parts]
    clips = [clip for clip in mine if clip.name not in known]
    sweeper = Sweeper(model)
    if clips:
        list(sweeper.decode(clips[0]))  # the first call pays for allocation
    for clip in clips:
        lines = "".join(json.dumps(asdict(decoded)) + "\n" for decoded in sweeper.decode(clip))
        with path.open("a") as target:  # one write: other processes append, too
            target.write(lines)


def read(path: Path) -> list[Decoded]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [Decoded.parse(line) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--decodings", type=Path, help="where decodings are kept")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, help="path of the JSON and SVG, without suffix")
    arguments = parser.parse_args()
    path = arguments.decodings or Path(tempfile.mkdtemp()) / "decodings.jsonl"
    parts = arguments.processes
    work = [(arguments.model, arguments.corpus, part, parts, path) for part in range(parts)]
    with multiprocessing.get_context("spawn").Pool(parts) as pool:
        pool.map(decode_part, work, chunksize=1)
    table = report(read(path), print)
    result: dict[str, Any] = {"machine": machine(), **table}
    if arguments.out:
        write_json(arguments.out.with_suffix(".json"), result)
        title = "Errors and CPU time by the encoder's length"
        draw(arguments.out.with_suffix(".svg"), title, pictures(table))


if __name__ == "__main__":
    main()
