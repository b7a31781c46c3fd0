from typing import SupportsIndex

import pytest

from auricle.text.filters.correction.literals import Literal, LiteralIndex
from auricle.text.filters.correction.words import units_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("heard", "text", "found"),
    [
        ("e mail", "An E mail.", True),
        ("e mail", "an e mailbox", False),
        ("mail", "e-mail", True),
        ("C++", "c++, then", True),
        ("C", "C++", False),
        ("Zyntrix", "Zyntrix's", True),
        ("Zyntrix", "Zyntrixes", False),
        ("東京", "在東京都", True),
        ("NUMBER", "[NUMBER]", False),
        ("[NUMBER]", "[NUMBER]", False),
    ],
)
def test_whole_words_are_found_in_any_case(heard: str, text: str, found: bool) -> None:
    index, units = LiteralIndex([Literal(heard, "x")]), units_of(text)
    assert any(index.find(text, units, at) for at in range(len(units))) is found


def test_the_longest_text_is_found_then_the_first() -> None:
    index = LiteralIndex([Literal("a", "1"), Literal("a b", "2"), Literal("A B", "3")])
    found = index.find("a b", units_of("a b"), 0)
    assert found is not None
    assert found[0].written == "2"
    assert found[1:] == (2, 3)


@pytest.mark.parametrize(
    ("literal", "text", "recognised"),
    [
        ("Straße", "STRASSE 1", "STRASSE"),
        ("Levi's", "levi's own", "levi's"),
        ("pre-", "Pre-war", "Pre-"),
        ("e mail", "e-mail", None),
        ("a b", "a", None),
    ],
)
def test_what_was_recognised_is_returned(literal: str, text: str, recognised: str | None) -> None:
    found = LiteralIndex([Literal(literal, "x")]).find(text, units_of(text), 0)
    assert (found and text[: found[2]]) == recognised


def test_a_text_is_open_while_a_longer_one_may_follow() -> None:
    index = LiteralIndex([Literal("new deal", "1"), Literal(" ".join("abcdefgh"), "2")])
    for text, complete in (("a new way", 3), ("so a b c", 1), ("it is new", 2), ("", 0)):
        units = units_of(text)
        assert index.first_open(text, units, len(units)) == complete


class SlicedText(str):
    """A text that readss how often a part of it is read."""

    __slots__ = ("reads",)
    reads: int

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        self.reads += 1
        return super().__getitem__(key)


def test_of_many_texts_with_the_same_first_word_few_are_compared() -> None:
    index = LiteralIndex(Literal(f"the {at} {at}"[: 5 + at % 7], "x") for at in range(5000))
    text = SlicedText("the other one " * 40)
    text.reads = 0
    units = units_of(str(text))
    assert not any(index.find(text, units, at) for at in range(len(units)))
    assert 0 < text.reads <= 3 * 40
