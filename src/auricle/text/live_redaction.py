"""Hide private data in the results of one live stream, whose utterances may divide a number."""

from collections.abc import Collection, Sequence

from auricle.text.edits import Edit, edited_text, edited_words, text_of
from auricle.text.redaction import open_digits, partial_edits, redaction_edits
from auricle.values.types import Redact, Word


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

    def partial(self, stable: str, unstable: str) -> tuple[str, str]:
        """Return a partial without anything that its final may hide; it may be shorter.

        ``stable`` still only grows.

        Args:
            stable: The stable text.
            unstable: The text after it, with the space between them.
        """
        if not self._kinds:
            return stable, unstable
        shown, everything = self._partial(stable), self._partial(stable + unstable)
        return shown, everything.removeprefix(shown) if everything.startswith(shown) else ""

    def _partial(self, text: str) -> str:
        return edited_text(text, partial_edits(text, self._kinds, before=self._before)).rstrip()

    def final(self, text: str, words: Sequence[Word] | None) -> tuple[str, tuple[Word, ...] | None]:
        """Return a final's text and words, and remember how it ends.

        Args:
            text: The text.
            words: Its words, with the spaces before them; ``None`` without word times.
        """
        redacted = self.speculative(text, words)
        if self._kinds:
            self._before = open_digits(text, before=self._before)
        return redacted

    def speculative(
        self, text: str, words: Sequence[Word] | None
    ) -> tuple[str, tuple[Word, ...] | None]:
        """Return what :meth:`final` returns, for a text that may not become a final."""
        shown = None if words is None else tuple(words)
        if not self._kinds:
            return text, shown
        if shown is not None:
            shown = edited_words(shown, self._edits(text_of(shown)))
        return edited_text(text, self._edits(text)), shown

    def _edits(self, text: str) -> list[Edit]:
        return redaction_edits(text, self._kinds, before=self._before, is_live=True)
