import pytest

from auricle.cli.support.speech_options import parse_languages, speaker_options, split_hotwords
from auricle.values.errors import SetupError
from auricle.values.types import SpeakerOptions

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
    assert parse_languages(named) == (language, languages)


def test_an_unknown_language_is_reported_as_such() -> None:
    with pytest.raises(SetupError, match="Unsupported language 'xx'"):
        parse_languages("xx")
    with pytest.raises(SetupError, match="Unsupported language 'de,xx'"):
        parse_languages("de,xx")


@pytest.mark.parametrize(
    ("hotwords", "words"),
    [(None, ()), ("", ()), (" , ", ()), ("Auricle", ("Auricle",)), ("a b, c,", ("a b", "c"))],
)
def test_hotwords_are_what_stands_between_commas(
    hotwords: str | None, words: tuple[str, ...]
) -> None:
    assert split_hotwords(hotwords) == words


def test_a_number_of_speakers_requests_them() -> None:
    assert speaker_options(False, None) is None
    assert speaker_options(True, None) == SpeakerOptions()
    assert speaker_options(False, 2) == SpeakerOptions(2)
