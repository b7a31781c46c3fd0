"""Moonshine's encoder and decoder in onnxruntime; imported in workers only.

The encoder reads raw samples. The decoder is one graph with two branches: the first call computes
the keys and values of the audio, later calls reuse them and process one token each.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from auricle.engines.moonshine.guard import Hypothesis
from auricle.engines.moonshine.model_files import DECODER, ENCODER, check_file
from auricle.engines.moonshine.vocabulary import END, START
from auricle.engines.onnx_session import open_session
from auricle.values.types import Pcm16

LAYERS, HEADS, HEAD_SIZE = 6, 8, 36
MIN_SAMPLES = 895
"""Shorter audio leaves no frame after the encoder's three convolutions."""
_INT16_FULL_SCALE = 32768.0
_CACHES = [
    f"{layer}.{part}.{each}"
    for part in ("decoder", "encoder")
    for layer in range(LAYERS)
    for each in ("key", "value")
]
_GROWING_CACHES = [name for name in _CACHES if ".decoder." in name]


class MoonshineModel:
    """Greedy decoding of one piece of audio at a time."""

    def __init__(self, directory: Path, threads: int) -> None:
        self._encoder = open_session(check_file(directory, ENCODER), threads)
        self._decoder = open_session(check_file(directory, DECODER), threads)
        self._empty = _value(np.zeros((1, HEADS, 0, HEAD_SIZE), np.float32))

    def decode(
        self, pcm: Pcm16, prefix: Sequence[int], max_tokens: int, draft: Sequence[int] = ()
    ) -> Hypothesis:
        """Return the most probable text, token by token.

        Args:
            pcm: The audio; short audio is padded with silence.
            prefix: Tokens with which the text begins.
            max_tokens: Maximum tokens of the text, at least one more than the prefix.
            draft: Tokens that probably follow the prefix, such as the text of the audio so far.
                All are compared with the model's own choice in the first call, which costs about
                as much as two tokens; the first other choice replaces those that follow. As
                activations are quantised by their range in a call, a close choice may differ.
        """
        samples = np.zeros((1, max(pcm.size, MIN_SAMPLES)), np.float32)
        samples[0, : pcm.size] = pcm / np.float32(_INT16_FULL_SCALE)
        mask = _value(np.ones(samples.shape, np.int64))
        (encoded,) = self._encoder.run_with_ort_values(
            ["last_hidden_state"], {"input_values": _value(samples), "attention_mask": mask}
        )
        feed = {f"past_key_values.{name}": self._empty for name in _CACHES}
        feed |= {"encoder_hidden_states": encoded, "encoder_attention_mask": mask}
        draft = draft[: max_tokens - len(prefix) - 1]
        tokens, caches, logprobs = list(prefix), _CACHES, []
        new = [START, *prefix, *draft]
        while True:
            feed["input_ids"] = _value(np.array([new], np.int64))
            feed["use_cache_branch"] = _value(np.array([caches is _GROWING_CACHES]))
            logits, *kept = self._decoder.run_with_ort_values(
                ["logits", *(f"present.{name}" for name in caches)], feed
            )
            feed |= zip((f"past_key_values.{name}" for name in caches), kept, strict=True)
            choices = logits.numpy()[0, len(new) - 1 - len(draft) :]
            best = choices.argmax(axis=1)
            accepted = _agreeing(best, draft)
            logprobs += [_logprob(row) for row in choices[: accepted + 1]]
            tokens += best[:accepted].tolist()
            if accepted < len(draft):
                _shorten(feed, 1 + len(tokens))
            draft, caches, last = (), _GROWING_CACHES, int(best[accepted])
            if last != END:
                tokens.append(last)
            if last == END or len(tokens) >= max_tokens:
                chosen = tuple(logprobs[: len(tokens) - len(prefix)])
                return Hypothesis(tuple(tokens), float(np.mean(logprobs)), last == END, chosen)
            new = [last]


def _agreeing(choices: npt.NDArray[np.int64], draft: Sequence[int]) -> int:
    """Return how many tokens of the draft the model chooses, too."""
    pairs = zip(choices.tolist(), draft, strict=False)
    return next((i for i, (choice, token) in enumerate(pairs) if choice != token), len(draft))


def _logprob(row: npt.NDArray[np.float32]) -> float:
    """Return the log-probability of the most probable token."""
    return -float(np.log(np.exp(row - row.max()).sum()))


def _shorten(feed: dict[str, onnxruntime.OrtValue], tokens: int) -> None:
    """Drop the keys and values of tokens that the model has not chosen."""
    for name in _GROWING_CACHES:
        kept = feed[f"past_key_values.{name}"].numpy()[:, :, :tokens]
        feed[f"past_key_values.{name}"] = _value(np.ascontiguousarray(kept))


def _value(array: np.ndarray) -> onnxruntime.OrtValue:
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)
