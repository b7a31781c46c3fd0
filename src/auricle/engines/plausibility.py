"""Checks of audio and text that several engines need."""

from collections.abc import Sequence

from auricle.values.types import Pcm16

QUIET_PEAK = 8
"""Of 32768, 72 dB below full scale: audio below this has no words, but models invent one."""

MIN_REPEATS = 4
MIN_REPEATED_TOKENS = 16
MAX_PHRASE_TOKENS = 24


def is_quiet(pcm: Pcm16) -> bool:
    """Return whether the audio is digital silence, except for a converter's noise."""
    return bool(pcm.max() <= QUIET_PEAK and pcm.min() >= -QUIET_PEAK)


def first_repeat(tokens: Sequence[int]) -> int | None:
    """Return where a phrase begins to repeat more often than any speaker would repeat it.

    A phrase of up to 24 tokens counts if it occurs at least 4 times in a row and fills at least 16
    tokens: "no, no, no, no" and a telephone number of nines pass.

    Returns:
        The index of the phrase's second occurrence; ``None`` if there is no such phrase.
    """
    for phrase in range(1, min(MAX_PHRASE_TOKENS, len(tokens) // MIN_REPEATS) + 1):
        needed = max((MIN_REPEATS - 1) * phrase, MIN_REPEATED_TOKENS - phrase)
        run = 0
        for i in range(phrase, len(tokens)):
            run = run + 1 if tokens[i] == tokens[i - phrase] else 0
            if run >= needed:
                return i - needed + 1
    return None
