"""Writes results without the capital letter or the full stop of a sentence."""

from collections.abc import Sequence
from functools import partial

from auricle.text.edits import edited_text, edited_words, text_of
from auricle.text.filters.phrases.rules import Style, phrase_edits
from auricle.text.transcripts import edited_segments, with_segments
from auricle.values.types import Transcript, Word


class Phrases:
    """Changes the beginning and the end of each final, and of the text of a file.

    Args:
        style: How results are written.
    """

    def __init__(self, style: Style) -> None:
        self._edits = partial(phrase_edits, style=style, names=frozenset(style.names))

    def partial(self, stable: str, unstable: str, language: str | None) -> tuple[str, str]:
        """Return a partial as it is: its end is not that of the final."""
        return stable, unstable

    def final(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return a final's text and words."""
        shown = None if words is None else tuple(words)
        if shown is not None:
            shown = edited_words(shown, self._edits(text_of(shown), language=language))
        return edited_text(text, self._edits(text, language=language)), shown

    speculative = final

    def transcript(self, transcript: Transcript) -> Transcript:
        """Return the transcript of a file; only its first and its last word change."""
        edits = partial(self._edits, language=transcript.language)
        return with_segments(transcript, edited_segments(transcript.segments, edits))
