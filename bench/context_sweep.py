"""How short Whisper's window may be: errors, insertions and CPU time by encoder length and guard.

    python -m bench.context_sweep --model DIR --corpus DIR [--out sweep.json]

Each clip is decoded once at each encoder length that holds it, greedily and alone; floors, tails
and guards are then arithmetic on those results, so that all of them see the same decodings. Times
are CPU seconds of one thread. ``grey`` is faster-whisper's own window: 30 s, padded with 0.
All others pad with digital silence as OpenAI's Whisper does; short, clean sound may get a lead of
it too.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from auricle.engine import EngineSettings
from auricle.engine.guard import Attempt, GuardPolicy, Verdict, judge_short
from auricle.engine.loading import load_model
from auricle.engine.prompt import Prompt
from auricle.engine.whisper import WhisperBackend
from auricle.engine.window import (
    FULL_FRAMES,
    MAX_NEW_TOKENS,
    Features,
    TokenLimit,
    WindowPolicy,
    is_clean,
    padded,
    silence_of,
)
from auricle.types import Task
from bench.report import machine, write_json
from bench.scoring import Errors, character_errors, total, word_errors
from bench.speech import AN4, OTHER, Clip, corpus, spoken, with_noise

LENGTHS = (600, 800, 1000, 1200, 1400, 1600, 2000, 2500, FULL_FRAMES)
LEADS = (0, 30)
FLOORS = (600, 800, 1000, 1200, 1600, 2000)
TAILS = (50, 100, 200, 300, 400)
GUARDS = (None, -1.0, -0.6)
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
    """A clip at all lengths; the key of ``at`` is the lead and the length."""

    kind: str
    sound_frames: int
    is_clean: bool
    grey: Decoded
    at: dict[tuple[int, int], Decoded]


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to choose the encoder's length."""

    name: str
    policy: WindowPolicy | None
    """``None`` is faster-whisper's own window."""
    guard: GuardPolicy | None = None


def clips_to_measure(directory: Path) -> Iterator[Clip]:
    yield from (clip for clip in corpus(directory) if clip.kind != OTHER)
    synthetic = spoken()
    yield from synthetic
    for snr_db in SNRS_DB:
        for clip in synthetic:
            noisy = with_noise(clip, snr_db)
            yield Clip(noisy.name, f"{noisy.kind}@{snr_db:g}dB", noisy.pcm, noisy.text)


class Sweeper:
    """Decodes clips at every length that holds them."""

    def __init__(self, model: str) -> None:
        loaded = load_model(EngineSettings(model, "cpu", "default", 1), model)
        self._backend = WhisperBackend(loaded)
        self._tokenizer = self._backend.tokenizer("en", Task.TRANSCRIBE)
        self._prompt = Prompt((), tuple(self._tokenizer.sot_sequence))

    def row(self, clip: Clip) -> Row:
        """Decode one clip at all lengths."""
        bare = self._backend.features(clip.pcm)
        at = {}
        for lead in LEADS:
            features = self._backend.features(clip.pcm, lead)
            for frames in LENGTHS:
                if frames == FULL_FRAMES or frames >= features.shape[1] + min(TAILS):
                    at[lead, frames] = self._decode(clip, features, frames, silence_of(features))
        grey = self._decode(clip, bare, FULL_FRAMES, silence=0.0)
        sound_frames = min(bare.shape[1], FULL_FRAMES - max(LEADS))
        return Row(clip.kind, sound_frames, is_clean(clip.pcm), grey, at)

    def _decode(self, clip: Clip, features: Features, frames: int, silence: float) -> Decoded:
        score = character_errors if clip.kind == AN4 else word_errors
        limit = TokenLimit().tokens_for(frames) if frames < FULL_FRAMES else MAX_NEW_TOKENS
        started_s = time.process_time()
        encoded = self._backend.encode([padded(features, frames, silence)])
        (found,) = self._backend.generate(encoded, [self._prompt], 1, limit)
        cpu_s = time.process_time() - started_s
        text = self._tokenizer.decode(list(found.tokens))
        attempt = Attempt(
            found.tokens,
            text,
            found.avg_logprob,
            found.no_speech_prob,
            is_cut=len(found.tokens) >= limit,
        )
        return Decoded(attempt, score(clip.text, text), cpu_s)


def simulate(row: Row, setting: Setting) -> tuple[Errors, float, bool]:
    """Return a clip's errors and CPU time under one setting, and whether it fell back."""
    if setting.policy is None:
        return row.grey.errors, row.grey.cpu_s, False
    takes_lead = row.is_clean and row.sound_frames <= setting.policy.lead_up_to_frames
    lead = setting.policy.lead_frames if takes_lead else 0
    content_frames = row.sound_frames + lead
    frames = setting.policy.frames_for(content_frames)
    short = row.at[lead, frames]
    limit = TokenLimit().tokens_for(content_frames)
    if (
        setting.guard is None
        or frames == FULL_FRAMES
        or judge_short(short.attempt, limit, setting.guard) is not Verdict.DOUBT
    ):
        return short.errors, short.cpu_s, False
    full = row.at[lead, FULL_FRAMES]
    return full.errors, short.cpu_s + full.cpu_s, True


def settings() -> Iterator[Setting]:
    yield Setting("full, grey (faster-whisper's)", None)
    for lead in LEADS:
        yield Setting(f"full, lead {lead}", WindowPolicy((FULL_FRAMES,), lead_frames=lead))
        for floor, tail, least in product(FLOORS, TAILS, GUARDS):
            lengths = tuple(frames for frames in LENGTHS if frames >= floor)
            guard = GuardPolicy(short_min_logprob=least) if least is not None else None
            name = f"floor {floor}, lead {lead}, tail {tail}, guard {least}"
            yield Setting(name, WindowPolicy(lengths, lead_frames=lead, tail_frames=tail), guard)


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
    show(f"{'setting':46}" + "".join(f"{kind:>24}" for kind in kinds))
    for setting in settings():
        of_kinds = {
            kind: summary([row for row in rows if row.kind == kind], setting) for kind in kinds
        }
        table[setting.name] = of_kinds
        cells = (
            f"{of['percent']:7}% {of['cpu_s']:6}s f{of['fallbacks']:<3}l{of['loops']:<2}"
            for of in of_kinds.values()
        )
        show(f"{setting.name:46}" + "".join(f"{cell:>24}" for cell in cells))
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
    sweeper = Sweeper(arguments.model)
    sweeper.row(clips[0])  # the first call pays for allocation
    rows = [sweeper.row(clip) for clip in clips]
    table = report(rows, print)
    result = {"machine": machine(), "settings": table}
    if arguments.out:
        write_json(arguments.out, result)
    else:
        print(json.dumps(result["machine"]))


if __name__ == "__main__":
    main()
