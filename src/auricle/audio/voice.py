"""Times from the model, bounded by where the voice detector heard somebody; I/O-free.

The model's alignment lets the first word begin where the sound begins, and the last one end where
it ends, silence included. The detector knows better where nobody speaks.
"""

from collections.abc import Sequence
from dataclasses import replace

from auricle.types import SAMPLE_RATE_HZ, Segment, Word

Spans = Sequence[tuple[int, int]]
"""Where somebody speaks, as (start, end) in samples, in order."""

_MAX_HOLE_SAMPLES = SAMPLE_RATE_HZ // 5
"""A word may go on over a shorter silence: that of a plosive."""


def fit_to_voice(segment: Segment, voiced: Spans) -> Segment:
    """Return the segment with its times, and those of its words, shrunk to where the voice is.

    A word that lies in silence altogether keeps its times: the detector missed it.
    """
    if not voiced:
        return segment
    if not segment.words:
        start, end = _shrunk(segment.start_sample, segment.end_sample, voiced)
        return replace(segment, start_sample=start, end_sample=end)
    words = fit_words(segment.words, voiced)
    return replace(
        segment, start_sample=words[0].start_sample, end_sample=words[-1].end_sample, words=words
    )


def fit_words(words: Sequence[Word], voiced: Spans) -> tuple[Word, ...]:
    """Return the words with their times shrunk to where the voice is."""
    return tuple(_fit_word(word, voiced) for word in words)


def _fit_word(word: Word, voiced: Spans) -> Word:
    start, end = word.start_sample, word.end_sample
    start, end = max(
        _runs(start, end, voiced), key=lambda run: run[1] - run[0], default=(start, end)
    )
    return replace(word, start_sample=start, end_sample=end)


def _shrunk(start: int, end: int, voiced: Spans) -> tuple[int, int]:
    runs = _runs(start, end, voiced)
    return (runs[0][0], runs[-1][1]) if runs else (start, end)


def _runs(start: int, end: int, voiced: Spans) -> list[tuple[int, int]]:
    """Return the voiced parts of a stretch; those with a short silence between them are one."""
    runs: list[tuple[int, int]] = []
    for first, last in voiced:
        first, last = max(first, start), min(last, end)
        if first >= last:
            continue
        if runs and first - runs[-1][1] < _MAX_HOLE_SAMPLES:
            first = runs.pop()[0]
        runs.append((first, last))
    return runs
