"""Decide whether to accept the decoding of a window.

Whisper fails in known ways: it loops, it invents text for noise, and with a short context it does
both a little more often. A doubtful result of the short window is decoded again in the full window;
a doubtful result of that is sampled at two temperatures. A brief text that is merely improbable as
a whole is decoded again in the next longer window, and the more probable of both is kept. If a
result is doubtful or in the letters of another language, and the audio is clearly in another
language than requested, it is decoded in that language, once; if that is not clear or not allowed,
the result is kept. All decisions are arithmetic on the result, so numbers alone can test them.

In the sound after the last word of a chunk, Whisper sometimes writes "Thank you very much." The
alignment finds no time for such an ending: its words are faster than speech, and one is improbable.
"""

import enum
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from auricle.engines.plausibility import first_repeat
from auricle.engines.whisper.alignment import AlignedSpan
from auricle.engines.whisper.segmentation import TokenSpan
from auricle.engines.whisper.window import TokenLimit
from auricle.values.types import SAMPLE_RATE_HZ

_ENDING_MAX_TOKENS = 8
"""Invented endings are short: "Thank you very much." has 6 tokens."""
_ENDING_MAX_WORD_S = 0.08
"""Mean length of words that were not spoken: 0.00 to 0.06 s in invented endings of the coded
``testdata/fellow.wav``; the fastest speech has about 0.12 s."""
_ENDING_MAX_PROBABILITY = 0.3
"""Upper bound for the least probable word: 0.04 in those endings."""


_SPELLED = re.compile(r"[A-Z]{2}|\b\w[\s.,-]+\w\b")
"""Two capitals, or two characters alone: spelled letters, whose errors the full window removes."""


class Verdict(enum.Enum):
    """What to do with a decoded window."""

    ACCEPT = "accept"
    SILENT = "silent"
    """No speech: drop the text."""
    UNSURE = "unsure"
    """Decode again in the next longer window: improbable as a whole, but not in its mean."""
    DOUBT = "doubt"
    """Decode again, more carefully."""


DOUBTFUL = (Verdict.UNSURE, Verdict.DOUBT)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One decoding of one window.

    Attributes:
        tokens: Generated tokens, including timestamps and prefix.
        text: The tokens' text.
        avg_logprob: Mean log-probability of the generated tokens.
        no_speech_prob: The model's probability that there is no speech.
        temperature: 0 unless it was sampled.
        is_cut: Generation reached its limit before an end token.
        prefix_tokens: Number of the tokens that were given, not generated.
    """

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    temperature: float = 0.0
    is_cut: bool = False
    prefix_tokens: int = 0

    @property
    def logprob(self) -> float:
        """Log-probability of all generated tokens together, including the end token."""
        return self.avg_logprob * (len(self.tokens) - self.prefix_tokens + 1)

    @property
    def compression_ratio(self) -> float:
        """Ratio of the text's length to its zlib-compressed length; above 2.4 it repeats itself."""
        data = self.text.strip().encode()
        return len(data) / len(zlib.compress(data))


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """Limits of doubt: faster-whisper's defaults, and one more for the short window.

    Attributes:
        short_min_logprob: Minimum mean log-probability of the short window's tokens.
        brief_up_to_frames: Audio up to this length is brief.
        brief_min_logprob: Minimum log-probability of the whole text of brief audio, all its tokens
            together. From -7 to -8 a sixth of spelled clips is decoded again, which removes a
            quarter of their errors at beam 5 (``research/context_sweep.py``, 2026-11-25). Of
            sentences that end anywhere, as in dictation, an eighth is.
        full_min_logprob: Minimum mean log-probability of the full window's tokens.
        max_compression_ratio: Maximum compression ratio of the text.
        silent_min_prob: A larger ``no_speech_prob`` means that there is no speech.
        temperatures: Temperatures for sampling the full window.
        samples_a_temperature: Number of samples at each temperature.
        max_sampling_s: No further temperature is tried after this time, in seconds. It bounds much
            slower machines; the number of attempts and tokens bounds the rest.
        foreign_from_frames: The language of audio of at least this length is detected if its text
            is doubtful or in the letters of another language.
        spoken_min_prob: Minimum probability of another language than the requested one, to decode
            the audio in it.
        full_beam_size: Minimum beam size of the full window, except for partials.
    """

    short_min_logprob: float = -1.0
    brief_up_to_frames: int = 600
    brief_min_logprob: float = -7.5
    full_min_logprob: float = -1.0
    max_compression_ratio: float = 2.4
    silent_min_prob: float = 0.6
    temperatures: tuple[float, ...] = (0.4, 0.7)
    samples_a_temperature: int = 5
    max_sampling_s: float = 4.0
    foreign_from_frames: int = 200
    spoken_min_prob: float = 0.5
    full_beam_size: int = 1

    def for_partials(self) -> "GuardPolicy":
        """Return the policy for partials: audio cut within a word has improbable last words.

        Decoding a partial again takes four times as long as the partial, and finals wait for it.
        Partials are not sampled.
        """
        return replace(
            self,
            short_min_logprob=-inf,
            brief_min_logprob=-inf,
            full_min_logprob=-inf,
            temperatures=(),
            full_beam_size=1,
        )


def is_silent(attempt: Attempt, policy: GuardPolicy, earlier: Sequence[Attempt] = ()) -> bool:
    """Return whether the model detects no speech and was once unsure of the text.

    For hum, the full window's "you" and "Thank you." are more probable than the short one's text.
    None of 291 clips of speech has a ``no_speech_prob`` above 0.5 in the full window
    (``research/context_sweep.py``, 2026-11-25).
    """
    least = min(each.avg_logprob for each in (attempt, *earlier))
    return attempt.no_speech_prob > policy.silent_min_prob and least <= policy.full_min_logprob


def is_looping(attempt: Attempt, policy: GuardPolicy) -> bool:
    """Return whether the text repeats itself as no speaker does."""
    return (
        attempt.compression_ratio > policy.max_compression_ratio
        or first_repeat(attempt.tokens) is not None
    )


def judge_short(
    attempt: Attempt, content_frames: int, limit: TokenLimit, policy: GuardPolicy
) -> Verdict:
    """Judge the result of a short window.

    A short window's ``no_speech_prob`` is ignored: the model reports no speech for speech, too.

    Args:
        attempt: The decoding to judge.
        content_frames: Length of the window's audio.
        limit: Maximum number of tokens for this length.
        policy: Limits of doubt.
    """
    is_brief = content_frames <= policy.brief_up_to_frames
    is_doubtful = (
        attempt.is_cut
        or len(attempt.tokens) > limit.tokens_for(content_frames)
        or is_looping(attempt, policy)
        or has_echo(attempt.tokens)
        or attempt.avg_logprob < policy.short_min_logprob
    )
    if is_doubtful:
        return Verdict.DOUBT
    if not is_brief or attempt.logprob >= policy.brief_min_logprob:
        return Verdict.ACCEPT
    return Verdict.DOUBT if _SPELLED.search(attempt.text) else Verdict.UNSURE


def judge_second(first: Attempt, second: Attempt, verdict: Verdict) -> tuple[Attempt, Verdict]:
    """Return the more probable of two texts of brief audio, after :attr:`Verdict.UNSURE`.

    Args:
        first: The text of the short window.
        second: The text of the next longer window; doubtful if it is empty.
        verdict: That of the second text as a result of a short window.
    """
    if verdict is Verdict.DOUBT or not second.text.strip():
        return second, Verdict.DOUBT
    return max(first, second, key=lambda attempt: attempt.avg_logprob), Verdict.ACCEPT


def judge_full(attempt: Attempt, policy: GuardPolicy, earlier: Sequence[Attempt] = ()) -> Verdict:
    """Judge the result of a full window as faster-whisper does, and also reject loops.

    Args:
        attempt: The decoding to judge.
        policy: Limits of doubt.
        earlier: Other decodings of the same audio, in the short and the full window.
    """
    if is_silent(attempt, policy, earlier):
        return Verdict.SILENT
    if is_looping(attempt, policy) or attempt.avg_logprob < policy.full_min_logprob:
        return Verdict.DOUBT
    return Verdict.ACCEPT


def best_of(attempts: Sequence[Attempt], policy: GuardPolicy) -> Attempt:
    """Return the most probable of doubtful attempts, a loop only if there is no other."""
    sound = [attempt for attempt in attempts if not is_looping(attempt, policy)]
    return max(sound or attempts, key=lambda attempt: attempt.avg_logprob)


ECHO_TOKENS = 8


def has_echo(tokens: Sequence[int]) -> bool:
    """Return whether a phrase of 8 tokens occurs twice.

    A speaker may repeat a sentence, but a short window sometimes invents the repetition. Only the
    full window is trusted.
    """
    seen: dict[tuple[int, ...], int] = {}
    for at in range(len(tokens) - ECHO_TOKENS + 1):
        first = seen.setdefault(tuple(tokens[at : at + ECHO_TOKENS]), at)
        if at - first >= ECHO_TOKENS:
            return True
    return False


def ends_short(spans: Sequence[TokenSpan], *, is_first: bool) -> bool:
    """Return whether the last sentence is short enough to be an invented ending.

    Args:
        spans: Sentences of a window.
        is_first: The chunk has no text before them.
    """
    return len(spans) > is_first and len(spans[-1].tokens) <= _ENDING_MAX_TOKENS


def is_invented_ending(spans: Sequence[AlignedSpan], *, is_first: bool) -> bool:
    """Return whether the last sentence was never spoken; arguments as for :func:`ends_short`."""
    if len(spans) <= is_first or not (words := spans[-1].words):
        return False
    length_s = sum(word.end_sample - word.start_sample for word in words) / SAMPLE_RATE_HZ
    is_improbable = min(word.probability for word in words) < _ENDING_MAX_PROBABILITY
    return is_improbable and length_s <= _ENDING_MAX_WORD_S * len(words)
