"""Hide private data in the results of a stream, whose utterances may divide a number, or a file."""

from collections.abc import Collection, Sequence

from auricle.text.edits import Edit, edited_text, edited_words, text_of
from auricle.text.filters.redaction.rules import open_digits, partial_edits, redaction_edits
from auricle.text.transcripts import edited_segments, with_segments
from auricle.values.types import Redact, Transcript, Word


class Redaction:
    """Hides private data in the partials and finals of one channel, in their order, or in a file.

    A number that is said with pauses is spread over several finals. So digits at the end of a final
    are hidden if they may be the beginning of a longer number, and the next final continues it.

    Args:
        kinds: What to hide; not empty.
    """

    def __init__(self, kinds: Collection[Redact]) -> None:
        self._kinds = frozenset(kinds)
        self._before = ""

    def partial(self, stable: str, unstable: str, language: str | None) -> tuple[str, str]:
        """Return a partial without anything that its final may hide; it may be shorter."""
        shown, everything = self._partial(stable), self._partial(stable + unstable)
        return shown, everything.removeprefix(shown) if everything.startswith(shown) else ""

    def _partial(self, text: str) -> str:
        return edited_text(text, partial_edits(text, self._kinds, before=self._before)).rstrip()

    def final(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return a final's text and words, and remember how it ends."""
        redacted = self.speculative(text, words, language)
        self._before = open_digits(text, before=self._before)
        return redacted

    def speculative(
        self, text: str, words: Sequence[Word] | None, language: str | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return what :meth:`final` returns, for a text that may not become a final."""
        shown = None if words is None else edited_words(words, self._edits(text_of(words)))
        return edited_text(text, self._edits(text)), shown

    def transcript(self, transcript: Transcript) -> Transcript:
        """Return the transcript of a file; a number may continue in the next segment."""
        segments = transcript.segments
        edited = edited_segments(segments, lambda text: redaction_edits(text, self._kinds))
        return with_segments(transcript, edited)

    def _edits(self, text: str) -> list[Edit]:
        return redaction_edits(text, self._kinds, before=self._before, is_live=True)
