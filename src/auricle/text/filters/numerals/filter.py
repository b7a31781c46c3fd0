"""Write the numbers of English results in digits."""

from collections.abc import Sequence

from auricle.text.edits import edited_text, edited_words, text_of
from auricle.text.filters.numerals.rules import numeral_edits
from auricle.text.transcripts import edited_segments, with_segments
from auricle.values.types import Segment, Transcript, Word

_LANGUAGE = "en"


class Numerals:
    """Writes numbers in digits in finals and files; other languages keep their words."""

    def partial(self, stable: str, unstable: str, language: str | None) -> tuple[str, str]:
        """Return a partial as it is: the next word may belong to its last number."""
        return stable, unstable

    def final(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return a final's text and words."""
        shown = None if words is None else tuple(words)
        if language != _LANGUAGE:
            return text, shown
        if shown is not None:
            shown = edited_words(shown, numeral_edits(text_of(shown)))
        return edited_text(text, numeral_edits(text)), shown

    speculative = final

    def transcript(self, transcript: Transcript) -> Transcript:
        """Return the transcript of a file; a number ends with its segment."""
        segments: list[Segment] = []
        for segment in transcript.segments:
            is_english = (segment.language or transcript.language) == _LANGUAGE
            segments += edited_segments([segment], numeral_edits) if is_english else [segment]
        return with_segments(transcript, segments)
