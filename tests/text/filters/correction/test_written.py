import pytest

from auricle.text.edits import Edit
from auricle.text.filters.correction.literals import Literal, LiteralIndex
from auricle.text.filters.correction.words import units_of
from auricle.text.filters.correction.written import Written

pytestmark = pytest.mark.unit

INDEX = LiteralIndex(
    [Literal(term, term, is_term=True) for term in ("Take That", "Zyntrix")]
    + [Literal("um", ""), Literal("e mail", "e-mail"), Literal("yes , no", "maybe")]
)


def written(text: str) -> Written:
    return Written(INDEX, text, units_of(text), is_english=True)


def test_literals_are_locked_with_their_replacement_or_as_they_are() -> None:
    assert written("take that E mail, zyntrix Zyntrix").locked == {
        0: (2, None),
        2: (4, Edit(10, 16, "e-mail")),
        5: (6, Edit(18, 25, "Zyntrix")),
        6: (7, None),
    }


def test_a_comma_before_removed_words_at_the_end_becomes_the_mark_after_them() -> None:
    it = written("yes, um.")
    assert it.moved == {1: (2, Edit(3, 4, "."))}
    assert it.locked == {2: (4, Edit(4, 8, ""))}
    assert not written("yes , no um.").moved  # the comma is part of a literal
    assert not written("yes, um so.").moved


def test_what_begins_a_sentence_instead_of_a_removed_word_has_its_capital() -> None:
    it = written("Um, um, so. um, no")
    assert it.capitalised(4, None) == Edit(8, 10, "So")
    assert it.capitalised(4, Edit(8, 10, "iPhone")) == Edit(8, 10, "iPhone")
    assert it.capitalised(8, None) is None
    assert it.capitals >= {4}
    assert not it.capitals & {6, 8}
