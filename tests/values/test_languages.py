import pytest

from auricle.values.errors import BadRequest
from auricle.values.languages import (
    LANGUAGE_NAMES,
    LANGUAGES,
    is_in_another_script,
    language_choice,
    language_code,
    language_warning,
)


@pytest.mark.model
def test_the_languages_are_those_of_faster_whisper() -> None:
    tokenizer = pytest.importorskip("faster_whisper.tokenizer")
    assert set(tokenizer._LANGUAGE_CODES) == LANGUAGES


@pytest.mark.unit
@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_every_code_and_every_name_resolves(code: str) -> None:
    assert language_code(code) == code
    assert language_code(LANGUAGE_NAMES[code]) == code
    assert language_code(f"{code.upper()}-XX") == code


@pytest.mark.unit
@pytest.mark.parametrize("named", [None, "", " ", "auto", "AUTO", "multi"])
def test_no_language_is_detected(named: str | None) -> None:
    assert language_code(named) is None


@pytest.mark.unit
@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("nb", "no"),
        ("nb-NO", "no"),
        ("nob", "no"),
        ("nn-NO", "nn"),
        ("iw", "he"),
        ("fil", "tl"),
        ("fil-PH", "tl"),
        ("jv", "jw"),
        ("cmn", "zh"),
        ("cmn-Hans-CN", "zh"),
        ("zh-Hant-TW", "zh"),
        ("zh_TW", "zh"),
        ("zh-yue", "yue"),
        ("yue-HK", "yue"),
        ("in", "id"),
        ("eng", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("pt-BR", "pt"),
        ("es-419", "es"),
        ("en_US", "en"),
        (" en ", "en"),
        ("English", "en"),
        ("english-us", "en"),
        ("Haitian Creole", "ht"),
        ("haitian_creole", "ht"),
        ("Mandarin", "zh"),
        ("castilian", "es"),
    ],
)
def test_other_codes_regions_and_names_resolve(named: str, code: str) -> None:
    assert language_code(named) == code


@pytest.mark.unit
@pytest.mark.parametrize("named", ["xx", "klingon", "-", "e", "en/de", "creole", "yue en"])
def test_an_unknown_language_is_refused(named: str) -> None:
    with pytest.raises(BadRequest, match="Unsupported language"):
        language_code(named)


@pytest.mark.unit
def test_a_language_is_improbable_below_a_twentieth_and_unknown_at_zero() -> None:
    assert language_warning("de", "de", 0.05) is None
    assert language_warning("de", "de", 0.0) is None
    assert language_warning(None, "de", 0.01) is None
    assert "not in German" in (language_warning("de", "de", 0.049) or "")


@pytest.mark.unit
def test_another_language_than_the_requested_one_is_named() -> None:
    assert language_warning(None, "en", 0.9) is None
    assert language_warning("ja", None, 0.0) is None
    assert "is in English, not in Japanese" in (language_warning("ja", "en", 0.9) or "")


@pytest.mark.unit
@pytest.mark.parametrize(
    ("named", "possible", "expected"),
    [
        (None, None, (None, ())),
        ("de", ["en", "fr"], ("de", ())),
        ("multi", ["en", "fr"], (None, ("en", "fr"))),
        (None, ["en", "english", "en-GB"], ("en", ())),
        (None, ["en", "multi"], (None, ())),
        (None, [" ", ""], (None, ())),
    ],
)
def test_a_choice_of_languages_is_a_name_or_a_set(
    named: str | None, possible: list[str] | None, expected: tuple[str | None, tuple[str, ...]]
) -> None:
    assert language_choice(named, possible) == expected


@pytest.mark.unit
def test_a_possible_language_that_is_unknown_is_refused() -> None:
    with pytest.raises(BadRequest):
        language_choice(None, ["de", "xx"])


@pytest.mark.unit
@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("And so, my fellow Americans", "ja", True),
        ("And so, my fellow Americans", "ru", True),
        ("And so, my fellow Americans", "de", False),
        ("Ей, dear colleagues and friends", "ru", True),
        ("Установите Python", "ru", False),
        ("OpenAIのAPIを使って音声を文字にします", "ja", False),
        ("コーヒー", "ja", False),
        ("东京", "ja", False),
        ("안녕하세요", "ko", False),
        ("안녕하세요", "zh", True),
        ("नमस्ते दुनिया", "hi", False),
        ("สวัสดีครับ", "th", False),
        ("Здравствуйте", "en", True),
        ("Здраво", "sr", False),
        ("Zdravo", "sr", False),
        ("12:30, 50 %", "ja", False),
        ("", "ja", False),
        ("anything", "xx", False),
    ],
)
def test_a_text_is_in_another_script_if_most_letters_are(
    text: str, language: str, expected: bool
) -> None:
    assert is_in_another_script(text, language) is expected


@pytest.mark.unit
def test_every_language_with_a_script_is_known() -> None:
    for language in LANGUAGES:
        assert not is_in_another_script("1, 2", language)
    assert is_in_another_script("日本", "en")
