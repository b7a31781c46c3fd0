import pytest

from auricle.languages import LANGUAGES

pytestmark = pytest.mark.model


def test_the_languages_are_those_of_faster_whisper() -> None:
    tokenizer = pytest.importorskip("faster_whisper.tokenizer")
    assert set(tokenizer._LANGUAGE_CODES) == LANGUAGES
