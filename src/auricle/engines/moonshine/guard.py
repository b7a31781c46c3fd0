"""Decide whether to accept a decoding.

Moonshine has two known failures: it repeats a phrase until its limit, and it writes musical notes
for hum. All decisions are arithmetic, so numbers alone can test them.
"""

from dataclasses import dataclass

from auricle.engines.plausibility import first_repeat
from auricle.values.types import SAMPLE_RATE_HZ

MAX_POSITIONS = 194
"""Maximum tokens of a text, including the start token."""
TOKENS_PER_S = 10.0
"""The publisher's limit of 6.5 cuts spelled words, which have up to 7 (measured 2026-11-26)."""
MIN_TOKENS = 6


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One decoding.

    Attributes:
        tokens: All tokens of the text, including the prefix.
        avg_logprob: Mean log-probability of the generated tokens, including the end token.
        is_complete: Whether the model ended the text, rather than the limit.
        logprobs: Log-probability of each token after the prefix.
    """

    tokens: tuple[int, ...]
    avg_logprob: float
    is_complete: bool
    logprobs: tuple[float, ...] = ()


def max_tokens(samples: int) -> int:
    """Return the maximum tokens of the text of audio of this length."""
    spoken = int(TOKENS_PER_S * samples / SAMPLE_RATE_HZ)
    return min(max(spoken, MIN_TOKENS), MAX_POSITIONS - 1)


def is_doubtful(hypothesis: Hypothesis) -> bool:
    """Return whether a text has no end, or repeats itself as no speaker does."""
    return not hypothesis.is_complete or first_repeat(hypothesis.tokens) is not None


def is_text(text: str) -> bool:
    """Return whether a text has letters or digits: for hum Moonshine writes musical notes."""
    return any(character.isalnum() for character in text)
