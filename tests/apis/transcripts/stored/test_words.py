"""Words of kept transcripts, and the text as which they are stored."""

import pytest

from auricle.apis.transcripts.stored.words import KeptWord, decode_words, encode_words, kept_words
from auricle.values.types import Word

pytestmark = pytest.mark.unit


def test_words_of_a_result_are_kept_in_milliseconds() -> None:
    words = [Word(320, 8160, "The", 0.9), Word(8160, 8176, " “Zug”", 0.5, speaker=1)]
    assert kept_words(words) == (KeptWord(20, 510, "The"), KeptWord(510, 511, " “Zug”"))
    assert kept_words(None) == ()


def test_words_are_stored_as_a_list_for_each() -> None:
    words = (KeptWord(320, 510, "The"), KeptWord(510, 900, ' "Zug"\0'))
    text = encode_words(words)
    assert text == r'[[320,510,"The"],[510,900," \"Zug\"\u0000"]]'
    assert decode_words(text) == words


def test_no_words_are_an_empty_text() -> None:
    assert encode_words(()) == ""
    assert decode_words("") == ()
