"""Limit the model's times to where the voice detector found speech; no I/O.

The model's alignment starts the first word where the audio starts and ends the last one where the
audio ends, including silence. The voice detector locates silence better.
"""

from collections.abc import Sequence
from dataclasses import replace

from auricle.values.types import SAMPLE_RATE_HZ, Segment, Word

Spans = Sequence[tuple[int, int]]
"""Stretches of speech as (start, end) in samples, in order."""

_MAX_HOLE_SAMPLES = SAMPLE_RATE_HZ // 5
"""A word may continue over a shorter silence: that of a plosive."""


def fit_to_voice(segment: Segment, voiced: Spans) -> Segment:
    """Return the segment with its times and its words' times limited to where there is speech.

    A word that lies entirely in silence keeps its times: the detector missed it.
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
    """Return the words with their times limited to where there is speech."""
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
    """Return the voiced parts of a stretch; parts with a short silence between them are merged."""
    runs: list[tuple[int, int]] = []
    for first, last in voiced:
        first, last = max(first, start), min(last, end)
        if first >= last:
            continue
        if runs and first - runs[-1][1] < _MAX_HOLE_SAMPLES:
            first = runs.pop()[0]
        runs.append((first, last))
    return runs
