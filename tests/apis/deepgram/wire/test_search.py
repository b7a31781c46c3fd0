"""Where terms were said."""

from itertools import pairwise
from typing import Any

import pytest

from auricle.apis.deepgram.wire.search import TermSearch
from auricle.values.types import Word

pytestmark = pytest.mark.unit

SECOND = 16_000


def words(text: str) -> list[Word]:
    """Return one word a second."""
    parts = enumerate(text.split())
    return [Word(n * SECOND, (n + 1) * SECOND, f" {each}", 0.9 - n / 10) for n, each in parts]


def hits(term: str, text: str) -> list[dict[str, Any]]:
    (found,) = TermSearch([term]).fields(words(text), "en")["search"]
    assert found["query"] == term
    listed: list[dict[str, Any]] = found["hits"]
    return listed


def test_a_term_is_found_where_it_was_said_in_any_case() -> None:
    assert hits("late report", "The Late Report, a late report!") == [
        {"confidence": 0.7, "start": 1.0, "end": 3.0, "snippet": "Late Report,"},
        {"confidence": 0.4, "start": 4.0, "end": 6.0, "snippet": "late report!"},
    ]


def test_a_word_that_sounds_like_a_term_is_one() -> None:
    (hit,) = hits("Zyntrix", "Ask Zintrix tomorrow.")
    assert (hit["snippet"], hit["start"], hit["end"]) == ("Zintrix", 1.0, 2.0)


@pytest.mark.parametrize("text", ["", "The report is late.", "late a report"])
def test_what_was_not_said_has_no_hits(text: str) -> None:
    assert hits("late report", text) == []


def test_each_term_has_an_entry_and_without_terms_there_is_none() -> None:
    found = TermSearch(["late", "never", "!"]).fields(words("late late"), None)["search"]
    assert [len(each["hits"]) for each in found] == [2, 0, 0]
    assert all(before["start"] < after["start"] for before, after in pairwise(found[0]["hits"]))
    assert TermSearch([]).fields(words("late"), None) == {}
