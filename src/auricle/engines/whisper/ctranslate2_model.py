"""The interface to CTranslate2's Whisper: arrays and tokens in, plain values out.

Only this module and :mod:`auricle.engines.whisper.loading` use ``ctranslate2``, so that a new
version of it affects few places. Runs in a worker process only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt
import tokenizers

from auricle.engines.log_mel import FOURIER_SAMPLES, SAMPLES_PER_FRAME, Features, Spectrogram
from auricle.engines.whisper.alignment import Alignment
from auricle.engines.whisper.prompt import Prompt
from auricle.engines.whisper.tokenizer import Tokenizer
from auricle.engines.whisper.window import max_length_for
from auricle.values.types import Pcm16, Task

Encoded = npt.NDArray[Any]
"""Encoder output, float32 or float16, shape [batch, frames / 2, width]; rows can be selected."""

INT16_FULL_SCALE = 32768.0
MAX_INITIAL_TIMESTAMP = 50
"""The first segment starts within 1 s (Whisper's ``max_initial_timestamp``)."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Result of ``generate`` for one prompt; a prefix is part of the tokens."""

    tokens: tuple[int, ...]
    avg_logprob: float
    no_speech_prob: float


class WhisperBackend:
    """A loaded model with the operations that the engine needs."""

    def __init__(
        self, whisper: ctranslate2.models.Whisper, vocabulary: tokenizers.Tokenizer
    ) -> None:
        self._whisper = whisper
        self._vocabulary = vocabulary
        self._spectrogram = Spectrogram(whisper.n_mels)
        self._on_cpu = whisper.device == "cpu"
        self.is_multilingual = bool(whisper.is_multilingual)
        self.tokenizer = lru_cache(maxsize=256)(self._make_tokenizer)
        self._suppressed = self.tokenizer("en", Task.TRANSCRIBE).suppressed_tokens

    def _make_tokenizer(self, language: str, task: Task) -> Tokenizer:
        return Tokenizer(
            self._vocabulary, is_multilingual=self.is_multilingual, language=language, task=task
        )

    def knows(self, language: str) -> bool:
        """Return whether this model has a token for the language."""
        if not self.is_multilingual:
            return True  # an English-only model ignores the requested language
        return self._vocabulary.token_to_id(f"<|{language}|>") is not None

    def features(self, pcm: Pcm16, lead_frames: int = 0) -> Features:
        """Return the log-mel spectrogram of silence followed by the audio: at least one frame."""
        samples = pcm.astype(np.float32) / INT16_FULL_SCALE
        missing = max(0, FOURIER_SAMPLES - samples.size)
        samples = np.pad(samples, (lead_frames * SAMPLES_PER_FRAME, missing))
        return self._spectrogram(samples)

    def encode(self, windows: Sequence[Features]) -> Encoded:
        """Encode padded windows of the same shape.

        On a CPU they are encoded one by one: together they exceed the cache and take 1.4 times as
        long (measured 2026-11-25, base, int8). The output is bit-identical.
        """
        batches = [[window] for window in windows] if self._on_cpu else [windows]
        return np.concatenate([self._encode(np.stack(batch)) for batch in batches])

    def _encode(self, batch: npt.NDArray[np.float32]) -> Encoded:
        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(batch))
        output = self._whisper.encode(view, to_cpu=True)
        if output.dtype == ctranslate2.DataType.bfloat16:  # NumPy does not have this type
            output = output.to(ctranslate2.DataType.float32)
        return np.array(output)

    def detect_languages(
        self, encoded: Encoded, among: Sequence[Sequence[str]]
    ) -> list[tuple[str, float]]:
        """Return the most probable language of each row with its probability.

        Args:
            encoded: The rows.
            among: For each row, its possible languages; empty: any. The probabilities of all other
                languages are distributed over the possible ones.
        """
        rankings = self.language_probabilities(encoded)
        return [
            likeliest(ranking, possible) for ranking, possible in zip(rankings, among, strict=True)
        ]

    def language_probabilities(self, encoded: Encoded) -> list[dict[str, float]]:
        """Return the probability of each language, for each row."""
        results = self._whisper.detect_language(_view(encoded))
        return [{token[2:-2]: float(share) for token, share in ranking} for ranking in results]

    def generate(
        self, encoded: Encoded, prompts: Sequence[Prompt], beam_size: int, new_tokens: int
    ) -> list[Hypothesis]:
        """Decode rows together; all prompts have the same length, prefixes may differ."""
        results = self._whisper.generate(
            _view(encoded),
            [prompt.tokens for prompt in prompts],
            beam_size=beam_size,
            **self._generate_options(prompts[0].length, new_tokens),
        )
        return [
            _hypothesis(result, prompt) for result, prompt in zip(results, prompts, strict=True)
        ]

    def sample(
        self, encoded: Encoded, prompt: Prompt, temperature: float, count: int, new_tokens: int
    ) -> Hypothesis:
        """Return the best of several random samples for one row."""
        (result,) = self._whisper.generate(
            _view(encoded),
            [prompt.tokens],
            beam_size=1,
            num_hypotheses=count,
            sampling_topk=0,
            sampling_temperature=temperature,
            **self._generate_options(prompt.length, new_tokens),
        )
        return _hypothesis(result, prompt)

    def _generate_options(self, prompt_tokens: int, new_tokens: int) -> dict[str, Any]:
        return {
            "max_length": max_length_for(new_tokens, prompt_tokens),
            "max_initial_timestamp_index": MAX_INITIAL_TIMESTAMP,
            "suppress_blank": True,
            "suppress_tokens": self._suppressed,
            "return_scores": True,
            "return_no_speech_prob": True,
        }

    def align(
        self, encoded: Encoded, start: Sequence[int], text: Sequence[int], content_frames: int
    ) -> Alignment:
        """Return the position of each token of one row's text in the audio."""
        (result,) = self._whisper.align(
            _view(encoded), list(start), [list(text)], [content_frames], median_filter_width=7
        )
        return Alignment(result.alignments, result.text_token_probs)


def likeliest(probabilities: Mapping[str, float], possible: Sequence[str]) -> tuple[str, float]:
    """Return the most probable of the possible languages, with its probability among them."""
    left = {each: p for each, p in probabilities.items() if not possible or each in possible}
    language = max(left, key=left.__getitem__)
    whole = sum(left.values()) if possible else 1.0
    return language, left[language] / whole if whole else 0.0


def _view(encoded: Encoded) -> ctranslate2.StorageView:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded))


def _hypothesis(result: Any, prompt: Prompt) -> Hypothesis:
    """Read a result; its score is the sum over generated tokens divided by the length of all."""
    tokens = tuple(result.sequences_ids[0])
    generated = max(len(tokens) - len(prompt.prefix), 0)
    return Hypothesis(
        tokens, result.scores[0] * len(tokens) / (generated + 1), result.no_speech_prob
    )
