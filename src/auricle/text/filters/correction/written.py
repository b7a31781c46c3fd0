"""Replace what a text has as it is written, and remove words with the punctuation around them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from auricle.text.edits import Edit
from auricle.text.filters.correction.literals import Literal, LiteralIndex
from auricle.text.filters.correction.words import Unit, begins_sentence, is_common

COMMAS = ",;،、，؛"
_MARKS = re.compile(rf"[{COMMAS}:.!?…؟।。！？–—-]*")
_HYPHENS = "-\u2010\u2011"
_JOINED_BEFORE = re.compile(rf"\w[{_HYPHENS}]$")
_JOINED_AFTER = re.compile(rf"[{_HYPHENS}'’]\w")


@dataclass(slots=True)
class Written:
    """The literals in a text, which are found from its beginning to its end.

    Args:
        index: The literals.
        text: The text.
        units: Its units.
        is_english: Whether its language is English.

    Attributes:
        locked: By the number of the first unit of a literal: the unit after it, and its
            replacement; ``None`` if it stays.
        moved: By the number of a comma: the number of a removed word after it, and the marks after
            that word in place of the comma.
        capitals: Units that begin a sentence instead of a removed word.
    """

    index: LiteralIndex
    text: str
    units: Sequence[Unit]
    is_english: bool
    locked: dict[int, tuple[int, Edit | None]] = field(default_factory=dict)
    moved: dict[int, tuple[int, Edit]] = field(default_factory=dict)
    capitals: set[int] = field(default_factory=set)
    _edited: int = 0
    _literal_end: int = 0  # the unit after the last literal that was not removed
    _removed: tuple[int, int] = (-1, -1)  # the units of the last words that were removed together

    def __post_init__(self) -> None:
        at = 0
        while at < len(self.units):
            at = self._lock(at)

    def capitalised(self, at: int, edit: Edit | None) -> Edit | None:
        """Return the replacement of a unit, with a capital if it begins a sentence now."""
        unit = self.units[at]
        word = edit.text if edit else unit.text
        if at not in self.capitals or not unit.is_word or not word.islower():
            return edit
        word = word[0].upper() + word[1:]
        return Edit(edit.start, edit.end, word) if edit else Edit(unit.start, unit.end, word)

    def _lock(self, at: int) -> int:
        """Find what is written at a unit; return the next unit."""
        found = self.index.find(self.text, self.units, at)
        if found is None:
            return at + 1
        literal, end, after = found
        start = self.units[at].start
        if not literal.written:
            return self._remove(at, end, after)
        is_kept = literal.is_term and self._is_kept(literal, at, end, self.text[start:after])
        self.locked[at] = end, None if is_kept else Edit(start, after, literal.written)
        self._edited, self._literal_end = after, end
        return end

    def _is_kept(self, literal: Literal, at: int, end: int, recognised: str) -> bool:
        """Return whether a term stays as it is written: an "apple" is not "Apple"."""
        if _is_written(recognised, literal.written):
            return True
        if end == at + 1:
            return not self.is_english or is_common(recognised)
        is_small = recognised.islower() or (
            recognised[1:].islower() and begins_sentence(self.text, self.units[at].start)
        )
        return is_small and all(is_common(unit.text) for unit in self.units[at:end])

    def _remove(self, at: int, end: int, after: int) -> int:
        """Remove words with a comma after them, and with all marks if these are left alone.

        The comma before the end of a sentence is removed instead.
        """
        start = self.units[at].start
        if _JOINED_AFTER.match(self.text, after) or _JOINED_BEFORE.match(
            self.text, max(0, start - 2), start
        ):
            return at + 1
        first = self._removed[0] if self._removed[1] == at else at
        is_start = begins_sentence(self.text, self.units[first].start)
        marks = _MARKS.match(self.text, after)
        assert marks is not None
        is_moved = self._is_comma(first - 1) and (marks.group() or not self.text[after:].strip())
        if is_start:
            after = marks.end()
        elif marks.group().startswith(tuple(COMMAS)):
            after += 1
        elif is_moved:
            comma = self.units[first - 1]
            self.moved[first - 1] = at, Edit(comma.start, comma.end, marks.group())
            return self._removed_until(at, None, marks.end(), is_start=False)
        return self._removed_until(at, first, after, is_start=is_start)

    def _removed_until(self, at: int, first: int | None, after: int, *, is_start: bool) -> int:
        start, end = self.units[at].start, at + 1
        is_capital = at in self.capitals or self.text[start].isupper()
        while end < len(self.units) and self.units[end].start < after:
            end += 1
        if is_start and is_capital:
            self.capitals.add(end)
        if start > self._edited and self.text[start - 1].isspace():
            start -= 1
        else:
            after += self.text[after : after + 1].isspace()
        self.locked[at] = end, Edit(start, after, "")
        self._edited, self._removed = after, (end if first is None else first, end)
        return end

    def _is_comma(self, at: int) -> bool:
        return at >= self._literal_end and self.units[at].text in COMMAS


def _is_written(recognised: str, term: str) -> bool:
    """Return whether a text is a term in its own spelling, or at the beginning of a sentence."""
    return recognised == term or (term.islower() and recognised == term[0].upper() + term[1:])
