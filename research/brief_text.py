"""How is brief text decoded again that is improbable as a whole: not at all, longer, or in full?

    python -m research.brief_text --model DIR --corpus DIR [--out docs/benchmarks/brief_text]

Sentences end anywhere, as in dictation, after 1 to 5 s; the sentences that ``bench.dictation`` cuts
are left out. Spelled AN4 clips are whole. Each text is decoded once, and again only if the guard
wants it. Words of sentences are compared with those of faster-whisper in the whole sentence.
"""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from faster_whisper import WhisperModel

from auricle.engines.base import EngineSettings
from auricle.engines.whisper.ctranslate2_model import WhisperBackend
from auricle.engines.whisper.guard import Attempt, GuardPolicy, Verdict, judge_second, judge_short
from auricle.engines.whisper.loading import load_backend
from auricle.engines.whisper.prompt import Prompt
from auricle.engines.whisper.window import (
    FULL_FRAMES,
    MAX_NEW_TOKENS,
    TokenLimit,
    WindowPolicy,
    padded,
    silence_of,
)
from auricle.values.types import SAMPLE_RATE_HZ, Task
from bench.dictation import LENGTHS_S, with_release
from bench.lib.audio import as_wav
from bench.lib.report import command_line, machine, write_json
from bench.lib.scoring import Errors, character_errors, total, word_errors
from bench.lib.speech import AN4, READ, Clip, corpus

FIRST_SENTENCE = 10
"""``bench.dictation`` has the sentences before it."""
CUT = "sentences that end anywhere"
WAYS = ("never", "next window", "full window", "as chosen")


def cut(model: WhisperModel, clip: Clip) -> Iterator[Clip]:
    """Return the beginnings of a sentence."""
    segments, _ = model.transcribe(io.BytesIO(as_wav(clip.pcm)), word_timestamps=True)
    words = [word for segment in segments for word in segment.words or ()]
    for length in LENGTHS_S:
        last = min(range(len(words)), key=lambda at: abs(words[at].end - length))
        pcm = with_release(clip.pcm, int(words[last].end * SAMPLE_RATE_HZ))
        yield Clip(clip.name, CUT, pcm, "".join(word.word for word in words[: last + 1]))


class Decoder:
    """Decodes a clip in windows of several lengths."""

    def __init__(self, backend: WhisperBackend, beam_size: int) -> None:
        self._backend, self._beam_size = backend, beam_size
        self._tokenizer = backend.tokenizer("en", Task.TRANSCRIBE)
        self._prompt = Prompt((), tuple(self._tokenizer.sot_sequence))

    def decode(self, clip: Clip, frames: int | None = None) -> tuple[Attempt, int, int]:
        """Return the decoding, the frames of its audio, and those of its window."""
        policy = WindowPolicy()
        features = self._backend.features(clip.pcm, policy.lead_for(clip.pcm))
        content = int(features.shape[1])
        frames = frames or policy.frames_for(content)
        limit = MAX_NEW_TOKENS
        if frames < FULL_FRAMES:
            limit = TokenLimit().tokens_for(frames - policy.tail_frames)
        encoded = self._backend.encode([padded(features, frames, silence_of(features))])
        (found,) = self._backend.generate(encoded, [self._prompt], self._beam_size, limit)
        text = self._tokenizer.decode(list(found.tokens))
        is_cut = len(found.tokens) >= limit
        attempt = Attempt(
            found.tokens, text, found.avg_logprob, found.no_speech_prob, is_cut=is_cut
        )
        return attempt, content, frames

    def ways(self, clip: Clip) -> tuple[dict[str, str], Verdict]:
        """Return the text of each way, and the verdict on the first decoding."""
        limit, policy = TokenLimit(), GuardPolicy()
        first, content, frames = self.decode(clip)
        verdict = judge_short(first, content, limit, policy)
        if verdict is Verdict.ACCEPT:
            return dict.fromkeys(WAYS, first.text), verdict
        full, _, _ = self.decode(clip, FULL_FRAMES)
        if first.avg_logprob < policy.short_min_logprob:
            return dict.fromkeys(WAYS, full.text), verdict
        longer, _, _ = self.decode(clip, WindowPolicy().frames_for(frames))
        kept, _ = judge_second(first, longer, judge_short(longer, content, limit, policy))
        chosen = kept if verdict is Verdict.UNSURE else full
        return dict(
            zip(WAYS, (first.text, kept.text, full.text, chosen.text), strict=True)
        ), verdict


def figures(decoder: Decoder, clips: Sequence[Clip]) -> dict[str, Any]:
    """Return the errors of each way, and how many clips are decoded again."""
    score = character_errors if clips[0].kind == AN4 else word_errors
    errors: dict[str, list[Errors]] = {way: [] for way in WAYS}
    verdicts = []
    for clip in clips:
        texts, verdict = decoder.ways(clip)
        verdicts.append(verdict)
        for way, text in texts.items():
            errors[way].append(score(clip.text, text))
    return {
        "clips": len(clips),
        "again_in_next_window": verdicts.count(Verdict.UNSURE),
        "again_in_full_window": verdicts.count(Verdict.DOUBT),
        "of": total(errors[WAYS[0]]).reference,
        "errors": {way: total(each).total for way, each in errors.items()},
    }


def main() -> None:
    parser = command_line(__doc__, "brief_text")
    parser.add_argument("--model", required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    arguments = parser.parse_args()
    clips = corpus(arguments.corpus)
    read = [clip for clip in clips if clip.kind == READ and clip.seconds >= max(LENGTHS_S) + 1]
    whisper = WhisperModel(arguments.model, "cpu", compute_type="int8", cpu_threads=1)
    cuts = [each for clip in read[FIRST_SENTENCE:] for each in cut(whisper, clip)]
    spelled = [clip for clip in clips if clip.kind == AN4]
    limit_s = GuardPolicy().brief_up_to_frames / 100
    result: dict[str, Any] = {"machine": machine()}
    backend = load_backend(EngineSettings(arguments.model, "cpu", "int8", 1))
    for kind in (cuts, spelled):
        brief = [clip for clip in kind if clip.seconds < limit_s - 0.3]
        for beam_size in (2, 5):
            name = f"{brief[0].kind}, beam {beam_size}"
            result[name] = figures(Decoder(backend, beam_size), brief)
            print(name, result[name], flush=True)
    write_json(arguments.out.with_suffix(".json"), result)


if __name__ == "__main__":
    main()
