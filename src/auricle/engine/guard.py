"""Whether a decoded window can be believed.

Whisper fails in known ways: it loops, it babbles over noise, and with a short context it does both
a little more often. A doubtful result of the short window is tried again with the full one; a
doubtful result of that goes down faster-whisper's ladder of temperatures. All of it is arithmetic
on the result, so all of it can be tested with numbers.
"""

import enum
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from auricle.types import Pcm16

QUIET_PEAK = 8
"""Of 32768, 72 dB below full scale: what no sample exceeds holds no word, but Whisper hears one."""


def is_quiet(pcm: Pcm16) -> bool:
    """Tell whether the audio is digital silence, give or take the noise of a converter."""
    return bool(pcm.max() <= QUIET_PEAK and pcm.min() >= -QUIET_PEAK)


class Verdict(enum.Enum):
    """What becomes of a decoded window."""

    ACCEPT = "accept"
    SILENT = "silent"
    """Nobody speaks: the text is dropped."""
    DOUBT = "doubt"
    """Try again, more carefully."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One decoding of one window.

    Attributes:
        tokens: What was generated, timestamps included, prefix included.
        text: The tokens' text.
        avg_logprob: Mean log-probability of the generated tokens.
        no_speech_prob: The model's own guess that nobody speaks.
        temperature: 0 unless it was sampled.
        is_cut: Generation met its limit instead of an end.
    """

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    temperature: float = 0.0
    is_cut: bool = False

    @property
    def compression_ratio(self) -> float:
        """How much zlib makes of the text: above 2.4 it says the same again and again."""
        data = self.text.strip().encode()
        return len(data) / len(zlib.compress(data))


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """Where doubt begins: faster-whisper's own defaults.

    With silence as padding the short window needs no stricter threshold: at -0.6 a third of the
    spelled clips fall back, which doubles their CPU time for 2 characters of 883
    (``bench/context_sweep.py``, 2026-11-25).
    """

    short_min_logprob: float = -1.0
    full_min_logprob: float = -1.0
    max_compression_ratio: float = 2.4
    silent_min_prob: float = 0.6
    temperatures: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)
    samples_a_temperature: int = 5


def is_silent(attempt: Attempt, policy: GuardPolicy) -> bool:
    """Tell whether the model thinks that nobody speaks and isn't sure of its words either."""
    return (
        attempt.no_speech_prob > policy.silent_min_prob
        and attempt.avg_logprob <= policy.full_min_logprob
    )


def is_looping(attempt: Attempt, policy: GuardPolicy) -> bool:
    """Tell whether the text repeats itself as no speaker does."""
    return attempt.compression_ratio > policy.max_compression_ratio or has_repeats(attempt.tokens)


def judge_short(attempt: Attempt, token_limit: int, policy: GuardPolicy) -> Verdict:
    """Judge what a short window gave; ``token_limit`` is what its sound may hold.

    It is never believed that nobody speaks: in a short window the model says so of speech, too.
    """
    if attempt.is_cut or len(attempt.tokens) > token_limit or is_looping(attempt, policy):
        return Verdict.DOUBT
    return Verdict.ACCEPT if attempt.avg_logprob >= policy.short_min_logprob else Verdict.DOUBT


def judge_full(attempt: Attempt, policy: GuardPolicy) -> Verdict:
    """Judge what a full window gave, as faster-whisper does, and look for loops besides."""
    if is_silent(attempt, policy):
        return Verdict.SILENT
    if is_looping(attempt, policy) or attempt.avg_logprob < policy.full_min_logprob:
        return Verdict.DOUBT
    return Verdict.ACCEPT


def best_of(attempts: Sequence[Attempt], policy: GuardPolicy) -> Attempt:
    """Return the likeliest of doubtful attempts, a loop only if there is nothing else."""
    sound = [attempt for attempt in attempts if not is_looping(attempt, policy)]
    return max(sound or attempts, key=lambda attempt: attempt.avg_logprob)


MIN_REPEATS = 4
MIN_REPEATED_TOKENS = 16
MAX_PHRASE_TOKENS = 24


def has_repeats(tokens: Sequence[int]) -> bool:
    """Tell whether one phrase follows itself so often that no speaker means it.

    A phrase of up to 24 tokens counts when it comes at least 4 times in a row and fills at least
    16 tokens: "no, no, no, no" and a telephone number of nines pass.
    """
    for phrase in range(1, min(MAX_PHRASE_TOKENS, len(tokens) // MIN_REPEATS) + 1):
        needed = max((MIN_REPEATS - 1) * phrase, MIN_REPEATED_TOKENS - phrase)
        run = 0
        for i in range(phrase, len(tokens)):
            run = run + 1 if tokens[i] == tokens[i - phrase] else 0
            if run >= needed:
                return True
    return False
