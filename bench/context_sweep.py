"""How short Whisper's window may be: errors, insertions and CPU time by encoder length and guard.

    python -m bench.context_sweep --model DIR --corpus DIR [--out sweep.json]

Each clip is decoded once at each encoder length that holds it, greedily and alone; floors, tails
and guards are then arithmetic on those results, so that all of them see the same decodings. Times
are CPU seconds of one thread. ``grey`` pads the spectrogram with 0 as faster-whisper does,
``quiet`` with digital silence as OpenAI's Whisper does.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from auricle.engine import EngineSettings
from auricle.engine.guard import Attempt, GuardPolicy, Verdict, judge_short
from auricle.engine.loading import load_model
from auricle.engine.prompt import Prompt
from auricle.engine.whisper import WhisperBackend
from auricle.engine.window import (
    FULL_FRAMES,
    MAX_NEW_TOKENS,
    TokenLimit,
    WindowPolicy,
    padded,
    silence_of,
)
from auricle.types import Task
from bench.report import machine, write_json
from bench.scoring import Errors, character_errors, total, word_errors
from bench.speech import AN4, OTHER, Clip, corpus, spoken, with_noise

LENGTHS = (800, 1000, 1200, 1500, 2000, 2500, FULL_FRAMES)
GREY_LENGTHS = (1200, FULL_FRAMES)
LEAST_TAIL = 50
SNRS_DB = (20.0, 10.0, 5.0)
LOOP_INSERTIONS = 10


@dataclass(frozen=True, slots=True)
class Decoded:
    """One clip at one encoder length."""

    attempt: Attempt
    errors: Errors
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """A clip at all lengths; the key of ``at`` is padding and length."""

    kind: str
    content_frames: int
    at: dict[tuple[str, int], Decoded]


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to choose the encoder's length."""

    name: str
    padding: str
    policy: WindowPolicy
    guard: GuardPolicy | None


def clips_to_measure(directory: Path) -> Iterator[Clip]:
    yield from (clip for clip in corpus(directory) if clip.kind != OTHER)
    synthetic = spoken()
    yield from synthetic
    for snr_db in SNRS_DB:
        for clip in synthetic:
            noisy = with_noise(clip, snr_db)
            yield Clip(noisy.name, f"{noisy.kind}@{snr_db:g}dB", noisy.pcm, noisy.text)


def decode(backend: WhisperBackend, clip: Clip) -> Row:
    """Decode one clip at every length that holds it."""
    tokenizer = backend.tokenizer("en", Task.TRANSCRIBE)
    prompt = Prompt((), tuple(tokenizer.sot_sequence))
    score = character_errors if clip.kind == AN4 else word_errors
    features = backend.features(clip.pcm)
    content = features.shape[1]
    at = {}
    for padding, lengths in (("quiet", LENGTHS), ("grey", GREY_LENGTHS)):
        silence = silence_of(features) if padding == "quiet" else 0.0
        for frames in lengths:
            if frames < FULL_FRAMES and frames < content + LEAST_TAIL:
                continue
            limit = TokenLimit().tokens_for(frames) if frames < FULL_FRAMES else MAX_NEW_TOKENS
            started_s = time.process_time()
            encoded = backend.encode([padded(features, frames, silence)])
            (found,) = backend.generate(encoded, [prompt], 1, limit)
            cpu_s = time.process_time() - started_s
            text = tokenizer.decode(list(found.tokens))
            is_cut = len(found.tokens) >= limit
            attempt = Attempt(
                found.tokens, text, found.avg_logprob, found.no_speech_prob, 0.0, is_cut
            )
            at[padding, frames] = Decoded(attempt, score(clip.text, text), cpu_s)
    return Row(clip.kind, min(content, FULL_FRAMES), at)


def simulate(row: Row, setting: Setting) -> tuple[Errors, float, bool]:
    """Return a clip's errors and CPU time under one setting, and whether it fell back."""
    frames = setting.policy.frames_for(row.content_frames)
    short = row.at[setting.padding, frames]
    if setting.guard is None or frames == FULL_FRAMES:
        return short.errors, short.cpu_s, False
    limit = TokenLimit().tokens_for(row.content_frames)
    if judge_short(short.attempt, limit, setting.guard) is not Verdict.DOUBT:
        return short.errors, short.cpu_s, False
    full = row.at[setting.padding, FULL_FRAMES]
    return full.errors, short.cpu_s + full.cpu_s, True


def settings() -> Iterator[Setting]:
    full = WindowPolicy((FULL_FRAMES,))
    yield Setting("full, grey (faster-whisper's)", "grey", full, None)
    yield Setting("full", "quiet", full, None)
    for floor in (800, 1000, 1200, 1500, 2000):
        for tail in (50, 100, 200, 300):
            lengths = tuple(frames for frames in LENGTHS if frames >= floor)
            policy = WindowPolicy(lengths, tail)
            yield Setting(f"floor {floor}, tail {tail}, no guard", "quiet", policy, None)
            for least in (-1.0, -0.8, -0.7, -0.6, -0.5):
                guard = GuardPolicy(short_min_logprob=least)
                yield Setting(f"floor {floor}, tail {tail}, guard {least}", "quiet", policy, guard)


def summary(rows: Sequence[Row], setting: Setting) -> dict[str, object]:
    outcomes = [simulate(row, setting) for row in rows]
    errors = total([outcome[0] for outcome in outcomes])
    return {
        "percent": round(errors.percent, 2),
        "errors": asdict(errors),
        "loops": sum(outcome[0].insertions >= LOOP_INSERTIONS for outcome in outcomes),
        "cpu_s": round(sum(outcome[1] for outcome in outcomes), 2),
        "fallbacks": sum(outcome[2] for outcome in outcomes),
        "clips": len(rows),
    }


def report(rows: Sequence[Row], show: Callable[[str], None]) -> dict[str, object]:
    kinds = list(dict.fromkeys(row.kind for row in rows))
    table: dict[str, object] = {}
    show(f"{'setting':34}" + "".join(f"{kind:>24}" for kind in kinds))
    for setting in settings():
        of_kinds = {
            kind: summary([row for row in rows if row.kind == kind], setting) for kind in kinds
        }
        table[setting.name] = of_kinds
        cells = (
            f"{of['percent']:7}% {of['cpu_s']:6}s f{of['fallbacks']:<3}l{of['loops']:<2}"
            for of in of_kinds.values()
        )
        show(f"{setting.name:34}" + "".join(f"{cell:>24}" for cell in cells))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=0, help="a random few only")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    clips = list(clips_to_measure(arguments.corpus))
    if arguments.clips:
        clips = random.Random(1).sample(clips, arguments.clips)
    loaded = load_model(EngineSettings(arguments.model, "cpu", "default", 1), arguments.model)
    backend = WhisperBackend(loaded)
    decode(backend, clips[0])  # the first call pays for allocation
    rows = [decode(backend, clip) for clip in clips]
    table = report(rows, print)
    result = {"machine": machine(), "settings": table}
    if arguments.out:
        write_json(arguments.out, result)
    else:
        print(json.dumps(result["machine"]))


if __name__ == "__main__":
    main()
