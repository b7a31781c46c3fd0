"""Whether a decoded window can be believed.

Whisper fails in known ways: it loops, it babbles over noise, and with a short context it does both
a little more often. A doubtful result of the short window is tried again with the full one; a
doubtful result of that is sampled at two temperatures. What is doubtful because it is in another
language than was asked for is not tried again. All of it is arithmetic on the result, so all of it
can be tested with numbers.
"""

import enum
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from auricle.engine.whisper.window import TokenLimit
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
        prefix_tokens: How many of the tokens were given, not generated.
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
        """Log-probability of all generated tokens together, the end among them."""
        return self.avg_logprob * (len(self.tokens) - self.prefix_tokens + 1)

    @property
    def compression_ratio(self) -> float:
        """How much zlib makes of the text: above 2.4 it says the same again and again."""
        data = self.text.strip().encode()
        return len(data) / len(zlib.compress(data))


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """Where doubt begins: faster-whisper's own defaults, and one more for the short window.

    Attributes:
        short_min_logprob: Least mean log-probability of the short window's tokens.
        brief_up_to_frames: Sound up to this length is brief.
        brief_min_logprob: Least log-probability of the whole text of brief sound: all its tokens
            together. From -7 to -8 a sixth of spelled clips is decoded again, and a quarter of
            their errors at beam 5 goes; of sentences next to none are
            (``bench/context_sweep.py``, 2026-11-25).
        full_min_logprob: Least mean log-probability of the full window's tokens.
        max_compression_ratio: What zlib makes of the text at most.
        silent_min_prob: A larger ``no_speech_prob`` says that nobody speaks.
        temperatures: What the full window is sampled at.
        samples_a_temperature: How often.
        max_sampling_s: No further temperature is tried after so long. This bounds a machine that is
            much slower than others; the number of attempts and tokens bounds the rest.
        foreign_from_frames: Doubtful sound of at least this length is asked for its language.
        full_beam_size: Least beam of the full window, guesses apart.
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
    full_beam_size: int = 1

    def for_guesses(self) -> "GuardPolicy":
        """Return what speech that is cut in mid-word is judged by: its last words are unlikely.

        Decoding a guess again takes four times as long as the guess and finals wait for it. None
        is sampled.
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
    """Tell whether the model thinks that nobody speaks and was once unsure of its words.

    The full window's "you" and "Thank you." for hum are likelier than the short one's text. Of 291
    clips of speech none has a ``no_speech_prob`` above 0.5 in the full window
    (``bench/context_sweep.py``, 2026-11-25).
    """
    least = min(each.avg_logprob for each in (attempt, *earlier))
    return attempt.no_speech_prob > policy.silent_min_prob and least <= policy.full_min_logprob


def is_looping(attempt: Attempt, policy: GuardPolicy) -> bool:
    """Tell whether the text repeats itself as no speaker does."""
    return attempt.compression_ratio > policy.max_compression_ratio or has_repeats(attempt.tokens)


def judge_short(
    attempt: Attempt, content_frames: int, limit: TokenLimit, policy: GuardPolicy
) -> Verdict:
    """Judge what a short window gave.

    It is never believed that nobody speaks: in a short window the model says so of speech, too.

    Args:
        attempt: The decoding to judge.
        content_frames: How much sound the window had.
        limit: How many tokens so much sound may hold.
        policy: Where doubt begins.
    """
    is_brief = content_frames <= policy.brief_up_to_frames
    is_doubtful = (
        attempt.is_cut
        or len(attempt.tokens) > limit.tokens_for(content_frames)
        or is_looping(attempt, policy)
        or has_echo(attempt.tokens)
        or attempt.avg_logprob < policy.short_min_logprob
        or (is_brief and attempt.logprob < policy.brief_min_logprob)
    )
    return Verdict.DOUBT if is_doubtful else Verdict.ACCEPT


def judge_full(attempt: Attempt, policy: GuardPolicy, earlier: Sequence[Attempt] = ()) -> Verdict:
    """Judge what a full window gave, as faster-whisper does, and look for loops besides.

    Args:
        attempt: The decoding to judge.
        policy: Where doubt begins.
        earlier: What else the same sound has given, in the short window and the full one.
    """
    if is_silent(attempt, policy, earlier):
        return Verdict.SILENT
    if is_looping(attempt, policy) or attempt.avg_logprob < policy.full_min_logprob:
        return Verdict.DOUBT
    return Verdict.ACCEPT


def best_of(attempts: Sequence[Attempt], policy: GuardPolicy) -> Attempt:
    """Return the likeliest of doubtful attempts, a loop only if there is nothing else."""
    sound = [attempt for attempt in attempts if not is_looping(attempt, policy)]
    return max(sound or attempts, key=lambda attempt: attempt.avg_logprob)


ECHO_TOKENS = 8


def has_echo(tokens: Sequence[int]) -> bool:
    """Tell whether a phrase of 8 tokens comes twice.

    A speaker may say a sentence again; a short window sometimes makes one up after it has heard
    the other. Only the full window is believed.
    """
    seen: dict[tuple[int, ...], int] = {}
    for at in range(len(tokens) - ECHO_TOKENS + 1):
        first = seen.setdefault(tuple(tokens[at : at + ECHO_TOKENS]), at)
        if at - first >= ECHO_TOKENS:
            return True
    return False


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
