"""Detect text that Whisper invents after the last sentence of a chunk.

In the sound after the last word, Whisper sometimes writes "Thank you very much." The alignment
finds no time for it: its words are faster than speech, and one is improbable.
"""

from collections.abc import Sequence

from auricle.engine.whisper.alignment import AlignedSpan
from auricle.engine.whisper.segmentation import TokenSpan
from auricle.types import SAMPLE_RATE_HZ

_MAX_TOKENS = 8
"""Invented endings are short: "Thank you very much." has 6 tokens."""
_MAX_WORD_S = 0.08
"""Mean length of words that were not spoken: 0.00 to 0.06 s in invented endings of the coded
``testdata/fellow.wav``; the fastest speech has about 0.12 s."""
_MAX_PROBABILITY = 0.3
"""Upper bound for the least probable word: 0.04 in those endings."""


def ends_short(spans: Sequence[TokenSpan], *, is_first: bool) -> bool:
    """Return whether the last sentence is short enough to be an invented ending.

    Args:
        spans: Sentences of a window.
        is_first: The chunk has no text before them.
    """
    return len(spans) > is_first and len(spans[-1].tokens) <= _MAX_TOKENS


def is_invented_ending(spans: Sequence[AlignedSpan], *, is_first: bool) -> bool:
    """Return whether the last sentence was never spoken; arguments as for :func:`ends_short`."""
    if len(spans) <= is_first or not (words := spans[-1].words):
        return False
    length_s = sum(word.end_sample - word.start_sample for word in words) / SAMPLE_RATE_HZ
    is_improbable = min(word.probability for word in words) < _MAX_PROBABILITY
    return is_improbable and length_s <= _MAX_WORD_S * len(words)
