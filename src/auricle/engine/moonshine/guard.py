"""Decide whether to accept a decoding; what to do with a doubtful one.

Moonshine has two known failures: it repeats a phrase until its limit, and it writes musical notes
for hum. All decisions are arithmetic, so numbers alone can test them.
"""

from dataclasses import dataclass

import numpy as np

from auricle.engine.plausibility import first_repeat
from auricle.types import SAMPLE_RATE_HZ, Pcm16

MAX_POSITIONS = 194
"""Maximum tokens of a text, including the start token."""
TOKENS_PER_S = 10.0
"""The publisher's limit of 6.5 cuts spelled words, which have up to 7 (measured 2026-11-26)."""
MIN_TOKENS = 6
MIN_SPLIT_SAMPLES = 2 * SAMPLE_RATE_HZ
"""Shorter audio is not split to decode it again."""
_PAUSE_SAMPLES = SAMPLE_RATE_HZ // 10


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One decoding.

    Attributes:
        tokens: All tokens of the text, including the prefix.
        avg_logprob: Mean log-probability of the generated tokens, including the end token.
        is_complete: Whether the model ended the text, rather than the limit.
    """

    tokens: tuple[int, ...]
    avg_logprob: float
    is_complete: bool


def max_tokens(samples: int) -> int:
    """Return the maximum tokens of the text of audio of this length."""
    spoken = int(TOKENS_PER_S * samples / SAMPLE_RATE_HZ)
    return min(max(spoken, MIN_TOKENS), MAX_POSITIONS - 1)


def is_doubtful(hypothesis: Hypothesis) -> bool:
    """Return whether a text has no end, or repeats itself as no speaker does."""
    return not hypothesis.is_complete or first_repeat(hypothesis.tokens) is not None


def quietest_sample(pcm: Pcm16) -> int:
    """Return the middle of the quietest tenth of a second in the middle half of the audio."""
    first = pcm.size // 4
    blocks = (pcm.size // 2) // _PAUSE_SAMPLES
    middle = pcm[first : first + blocks * _PAUSE_SAMPLES].astype(np.float32)
    energy = np.square(middle).reshape(blocks, _PAUSE_SAMPLES).sum(axis=1)
    return int(first + energy.argmin() * _PAUSE_SAMPLES + _PAUSE_SAMPLES // 2)


def is_text(text: str) -> bool:
    """Return whether a text has letters or digits: for hum Moonshine writes musical notes."""
    return any(character.isalnum() for character in text)
