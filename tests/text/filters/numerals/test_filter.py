import pytest

from auricle.text.filters.numerals.filter import Numerals
from auricle.values.types import Word
from tests.text.helpers import segment, transcript

pytestmark = pytest.mark.unit

WORDS = (Word(0, 1, " twenty", 0.9), Word(1, 2, " five", 0.8), Word(2, 3, " cats", 0.9))


def test_finals_have_digits_in_their_text_and_words() -> None:
    text, words = Numerals().final(" twenty five cats", WORDS, "en")
    assert text == " 25 cats"
    assert words == (Word(0, 2, " 25", 0.8), Word(2, 3, " cats", 0.9))
    assert Numerals().speculative("twenty five", None, "en") == ("25", None)


@pytest.mark.parametrize("language", ["fr", None])
def test_other_languages_keep_their_words(language: str | None) -> None:
    assert Numerals().final("six chats", WORDS, language) == ("six chats", WORDS)


def test_a_partial_keeps_its_words_as_the_next_one_may_belong_to_a_number() -> None:
    assert Numerals().partial("twenty", " five", "en") == ("twenty", " five")


def test_only_english_segments_get_digits() -> None:
    given = transcript(
        segment(0, "twenty five cats"), segment(100, "six chats", language="fr"), language="en"
    )
    written = Numerals().transcript(given)
    assert written.text == "25 cats six chats"
    assert written.segments[0].words == (Word(0, 2, " 25", 0.9), Word(2, 3, " cats", 0.9))
    assert written.segments[1] is given.segments[1]
