import pytest

from auricle.cli.support.speech_options import languages_of, words_of
from auricle.errors import SetupError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("named", "language", "languages"),
    [
        (None, None, ()),
        ("auto", None, ()),
        ("multi", None, ()),
        ("de", "de", ()),
        ("de, English", None, ("de", "en")),
        ("de,de-AT", "de", ()),
    ],
)
def test_a_language_is_its_code_or_found_out_maybe_among_several(
    named: str | None, language: str | None, languages: tuple[str, ...]
) -> None:
    assert languages_of(named) == (language, languages)


def test_an_unknown_language_is_reported_as_such() -> None:
    with pytest.raises(SetupError, match="Unsupported language 'xx'"):
        languages_of("xx")
    with pytest.raises(SetupError, match="Unsupported language 'de,xx'"):
        languages_of("de,xx")


@pytest.mark.parametrize(
    ("hotwords", "words"),
    [(None, ()), ("", ()), (" , ", ()), ("Auricle", ("Auricle",)), ("a b, c,", ("a b", "c"))],
)
def test_hotwords_are_what_stands_between_commas(
    hotwords: str | None, words: tuple[str, ...]
) -> None:
    assert words_of(hotwords) == words
