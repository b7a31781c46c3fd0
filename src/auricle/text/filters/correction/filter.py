"""Correct the terms of a vocabulary in the results of a stream, or a file."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from auricle.text.edits import Edit, core, edited_text, edited_words, text_of
from auricle.text.filters.correction.originals import with_originals
from auricle.text.filters.correction.rules import Corrector
from auricle.text.filters.correction.written import COMMAS
from auricle.text.transcripts import edited_segments, with_segments
from auricle.values.types import SAMPLE_RATE_HZ, Segment, Transcript, Word

_LANGUAGE = "en"
_NOUNS = frozenset({"de", "lb"})
"""Languages that write all nouns with capitals."""

_MAX_PAUSE_SAMPLES = SAMPLE_RATE_HZ
"""In live streams, a longer pause ends an utterance."""


class Correction:
    """Corrects terms in partials, finals and files; each text is corrected by itself.

    Args:
        corrector: Corrects texts by the vocabulary.
    """

    def __init__(self, corrector: Corrector) -> None:
        self._corrector = corrector

    def partial(self, stable: str, unstable: str, language: str | None) -> tuple[str, str]:
        """Return a partial; stable words that may be part of a term become unstable."""
        text = stable + unstable
        decided, start, edits = self._corrector.decided(
            text, len(stable), is_english=language == _LANGUAGE, capital_nouns=language in _NOUNS
        )
        shown = edited_text(text[:start], decided).rstrip()
        if self._corrector.removes:
            shown = shown.rstrip(COMMAS).rstrip()
        return shown, edited_text(text, edits)[len(shown) :]

    def final(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return a final's text and words."""
        edits_of = self._edits_of(language)
        if words is None:
            return edited_text(text, edits_of(text)), None
        edits = edits_of(text_of(words))
        edited = _spoken(edited_words(words, edits)) if edits else tuple(words)
        return edited_text(text, edits_of(text)), edited

    speculative = final

    def transcript(self, transcript: Transcript) -> Transcript:
        """Return the transcript of a file; terms are found across segments without a pause."""
        segments: list[Segment] = []
        run: list[Segment] = []
        for segment in transcript.segments:
            if run and not _continues(run[-1], segment):
                segments += self._edited(run, transcript.language)
                run = []
            run.append(segment)
        segments += self._edited(run, transcript.language)
        return with_originals(with_segments(transcript, segments), transcript.segments)

    def _edited(self, run: Sequence[Segment], language: str | None) -> list[Segment]:
        if not run:
            return []
        edited = edited_segments(run, self._edits_of(run[0].language or language))
        if edited == run:
            return edited
        return [
            replace(segment, words=segment.words and _spoken(segment.words))
            for segment in edited
            if core(segment.text)
        ]

    def _edits_of(self, language: str | None) -> Callable[[str], list[Edit]]:
        return partial(
            self._corrector.edits,
            is_english=language == _LANGUAGE,
            capital_nouns=language in _NOUNS,
        )


def _continues(before: Segment, segment: Segment) -> bool:
    """Return whether a term may begin in a segment and end in the next one."""
    if segment.start_sample - before.end_sample > _MAX_PAUSE_SAMPLES:
        return False
    return (before.language, before.speaker, before.channel) == (
        *(segment.language, segment.speaker, segment.channel),
    )


def _spoken(words: Sequence[Word]) -> tuple[Word, ...]:
    """Return words without those that a replacement has removed, and what is left next to them."""
    return tuple(word for word in words if core(word.text))
