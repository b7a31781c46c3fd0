"""Moonshine on unfinished speech: the whole utterance is encoded again, only new text is decoded.

The text so far is given to the next decoding: settled words as its beginning, later ones as a draft
that the model confirms or corrects in one call. So each word is decoded once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import exp
from typing import Protocol

import numpy as np

from auricle.engines.moonshine.engine import LANGUAGE
from auricle.engines.moonshine.guard import Hypothesis, is_doubtful, is_text, max_tokens
from auricle.engines.moonshine.vocabulary import Vocabulary
from auricle.engines.plausibility import first_repeat, is_quiet
from auricle.values.errors import AudioError
from auricle.values.types import SAMPLE_RATE_HZ, Options, Pcm16, Segment, Transcript, Word

EDGE_SAMPLES = SAMPLE_RATE_HZ // 2
"""A word is settled when it has stayed the same for this time."""
SURE_PROBABILITY = 0.7
"""Words become stable up to the first one below: of 23 read clips, Whisper base then contradicted
2 in its final, and 9 without the limit (docs/decisions/080)."""


class DraftDecoder(Protocol):
    """The model: see :class:`auricle.engines.moonshine.onnx_model.MoonshineModel`."""

    def decode(
        self, pcm: Pcm16, prefix: Sequence[int], max_tokens: int, draft: Sequence[int] = ()
    ) -> Hypothesis:
        """Return the most probable text of the audio."""
        ...


@dataclass(slots=True)
class _Stream:
    """The audio of an utterance, and its text so far, with a log-probability for each token.

    ``found_at_samples`` is, for each token, the length of the audio with which it was found;
    it and all before it have stayed the same since. ``decoded_samples`` is that of the latest.
    """

    parts: list[Pcm16] = field(default_factory=list)
    tokens: tuple[int, ...] = ()
    found_at_samples: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    decoded_samples: int = 0

    @property
    def pcm(self) -> Pcm16:
        """All audio, as one array."""
        if len(self.parts) != 1:
            self.parts = [np.concatenate([np.empty(0, np.int16), *self.parts])]
        return self.parts[0]

    def take(self, tokens: tuple[int, ...], logprobs: tuple[float, ...], settled: int) -> None:
        """Take the tokens of a hypothesis for all audio, and the log-probabilities of new ones."""
        self.logprobs = (self.logprobs[:settled] + logprobs)[: len(tokens)]
        pairs = enumerate(zip(self.tokens, tokens, strict=False))
        shortest = min(len(self.tokens), len(tokens))
        same = next((i for i, (old, new) in pairs if old != new), shortest)
        self.decoded_samples = self.pcm.size
        self.found_at_samples = self.found_at_samples[:same] + (self.decoded_samples,) * (
            len(tokens) - same
        )
        self.tokens = tokens


class MoonshineStreams:
    """A :class:`auricle.engines.base.StreamingRecognizer` over Moonshine tiny-en."""

    def __init__(self, model: DraftDecoder, vocabulary: Vocabulary) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._streams: dict[str, _Stream] = {}

    def warm_up(self) -> None:
        """Decode a second of faint noise, so that the first stream does not pay for allocation."""
        noise = np.random.default_rng(0).normal(0, 30, SAMPLE_RATE_HZ).astype(np.int16)
        self._model.decode(noise, (), max_tokens(noise.size))

    def open(self, stream: str, options: Options) -> None:
        """Open a stream; its language is English."""
        self._streams[stream] = _Stream()

    def feed(self, stream: str, pcm: Pcm16) -> None:
        """Add audio to a stream."""
        self._streams[stream].parts.append(pcm)

    def results(self, streams: Sequence[str]) -> list[Transcript | AudioError]:
        """Return the text of each stream, decoded one after the other."""
        return [self._result(self._streams[stream]) for stream in streams]

    def close(self, stream: str) -> None:
        """Forget a stream."""
        del self._streams[stream]

    def _result(self, stream: _Stream) -> Transcript:
        pcm = stream.pcm
        silent = Transcript("", LANGUAGE, 1.0, pcm.size)
        if not pcm.size or is_quiet(pcm):
            return silent
        settled = self._settled(stream)
        prefix, draft = stream.tokens[:settled], stream.tokens[settled:]
        hypothesis = self._model.decode(pcm, prefix, max_tokens(pcm.size), draft)
        tokens = hypothesis.tokens[: first_repeat(hypothesis.tokens)]
        if is_doubtful(hypothesis):
            tokens = tokens[: max(settled, 1)]
        stream.take(tokens, hypothesis.logprobs, settled)
        words = self._words(stream)
        text = "".join(word.text for word in words).strip()
        if not is_text(text):
            return silent
        segment = Segment(0, pcm.size, f" {text}", words, avg_logprob=hypothesis.avg_logprob)
        return Transcript(text, LANGUAGE, 1.0, pcm.size, (segment,))

    def _settled(self, stream: _Stream) -> int:
        """Return how many tokens of the text so far begin the next one, up to the end of a word."""
        until_sample = stream.decoded_samples - EDGE_SAMPLES
        count = sum(
            found_at_samples <= until_sample for found_at_samples in stream.found_at_samples
        )
        starts = (*map(self._vocabulary.starts_word, stream.tokens), False)
        while count and not starts[count]:
            count -= 1
        return count

    def _words(self, stream: _Stream) -> tuple[Word, ...]:
        """Return the words, with the audio in which they were found as times.

        The last word may be incomplete, and improbable words and those after them are often other
        ones in the final: they end with the audio, so that they are not stable. A last word that is
        new and not the only one is left out, because every second one changes (measured
        2026-11-27).
        """
        tokens, found_at_samples, end_sample = (
            stream.tokens,
            stream.found_at_samples,
            stream.decoded_samples,
        )
        is_first = (not i or self._vocabulary.starts_word(token) for i, token in enumerate(tokens))
        starts = [i for i, starts_word in enumerate(is_first) if starts_word]
        words: list[Word] = []
        is_sure = True
        for first, end in pairwise([*starts, len(tokens)]):
            is_last = end == len(tokens)
            if is_last and words and found_at_samples[first] == end_sample:
                break
            if text := self._vocabulary.text_of(tokens[first:end]):
                from_sample = words[-1].end_sample if words else 0
                probability = exp(min(stream.logprobs[first:end]))
                is_sure = is_sure and probability >= SURE_PROBABILITY and not is_last
                until_sample = found_at_samples[end - 1] if is_sure else end_sample
                words.append(Word(from_sample, until_sample, f" {text}", probability))
        return tuple(words)
