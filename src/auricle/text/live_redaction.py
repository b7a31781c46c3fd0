"""Hide private data in the results of one live stream, whose utterances may divide a number."""

from collections.abc import Collection, Sequence

from auricle.text.edits import Edit, edited_text, edited_words, text_of
from auricle.text.redaction import Redact, open_digits, partial_edits, redaction_edits
from auricle.types import Word


class LiveRedaction:
    """Hides private data in the partials and finals of one channel, in their order.

    A number that is said with pauses is spread over several finals. So digits at the end of a final
    are hidden if they may be the beginning of a longer number, and the next final continues it.

    Args:
        kinds: What to hide; empty: nothing.
    """

    def __init__(self, kinds: Collection[Redact]) -> None:
        self._kinds = frozenset(kinds)
        self._before = ""

    def partial(self, text: str) -> str:
        """Return a partial without anything that its final may hide; it may be shorter."""
        if not self._kinds:
            return text
        return edited_text(text, partial_edits(text, self._kinds, before=self._before)).rstrip()

    def final(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """Return the words of a final, and remember how it ends.

        Args:
            words: The words, with the spaces before them.
        """
        redacted = self.speculative(words)
        if self._kinds:
            self._before = open_digits(text_of(words), before=self._before)
        return redacted

    def speculative(self, words: Sequence[Word]) -> tuple[Word, ...]:
        """Return the words as :meth:`final` does, for a final that may not become one."""
        return edited_words(words, self._edits(text_of(words)))

    def _edits(self, text: str) -> list[Edit]:
        if not self._kinds:
            return []
        return redaction_edits(text, self._kinds, before=self._before, is_live=True)
