import pytest

from auricle.cli.speech import language_of, words_of
from auricle.errors import SetupError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("code", "language"), [(None, None), ("auto", None), ("de", "de")])
def test_a_language_is_its_code_or_found_out(code: str | None, language: str | None) -> None:
    assert language_of(code) == language


def test_an_unknown_language_is_told_as_such() -> None:
    with pytest.raises(SetupError, match="no language 'xx'"):
        language_of("xx")


@pytest.mark.parametrize(
    ("hotwords", "words"),
    [(None, ()), ("", ()), (" , ", ()), ("Auricle", ("Auricle",)), ("a b, c,", ("a b", "c"))],
)
def test_hotwords_are_what_stands_between_commas(
    hotwords: str | None, words: tuple[str, ...]
) -> None:
    assert words_of(hotwords) == words
