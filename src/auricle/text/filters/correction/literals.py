"""Find texts as they are written, in any case: replacements, terms and their other spellings."""

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auricle.text.filters.correction.words import Unit, units_of

_MAX_REST = 2
"""Characters of a literal after its last unit, as "'s"."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A text to find.

    Attributes:
        text: The text.
        written: How it is written.
        is_term: Whether it is a term in its own spelling.
    """

    text: str
    written: str
    is_term: bool = False


class LiteralIndex:
    """Texts by how they are written; of several that match, the longest is found, then the first.

    Args:
        literals: The texts. Those that end with more than two characters after their last unit are
            ignored.
    """

    def __init__(self, literals: Iterable[Literal]) -> None:
        self._by_text: dict[str, Literal] = {}
        shapes: dict[str, set[tuple[int, int]]] = defaultdict(set)
        for literal in literals:
            units = units_of(literal.text)
            rest = len(literal.text) - units[-1].end if units else 0
            if units and units[0].start == 0 and rest <= _MAX_REST:
                self._by_text.setdefault(literal.text.casefold(), literal)
                shapes[units[0].text.casefold()].add((len(units), rest))
        self._shapes = {first: sorted(found, reverse=True) for first, found in shapes.items()}
        self._sorted = sorted(self._by_text)
        self._max_characters = max(map(len, self._sorted), default=0)

    def find(self, text: str, units: Sequence[Unit], at: int) -> tuple[Literal, int, int] | None:
        """Return the text that begins with a unit, the unit after it, and where it ends."""
        start = units[at].start
        for count, rest in self._shapes.get(units[at].text.casefold(), ()):
            if at + count > len(units):
                continue
            end = units[at + count - 1].end + rest
            if end - start > self._max_characters:
                continue
            literal = self._by_text.get(text[start:end].casefold())
            if literal is not None:
                is_hidden = any(unit.is_hidden for unit in units[at : at + count])
                return None if is_hidden else (literal, at + count, end)
        return None

    def first_open(self, text: str, units: Sequence[Unit], complete: int) -> int:
        """Return the first of the complete units from which a text may continue after them.

        Args:
            text: An unfinished text.
            units: Its units.
            complete: How many of them are complete. It is returned if no text may continue.
        """
        end = units[complete - 1].end if complete else 0
        for at in range(max(0, complete - self._max_characters), complete):
            start = units[at].start
            if end - start <= self._max_characters and self._continues(text[start:end].casefold()):
                return at
        return complete

    def _continues(self, text: str) -> bool:
        """Return whether a longer text begins with this one."""
        at = bisect(self._sorted, text)
        return at < len(self._sorted) and self._sorted[at].startswith(text)
