import pytest

from auricle.cli.speech import language_of
from auricle.errors import BadRequest
from auricle.languages import LANGUAGE_NAMES, LANGUAGES, improbable_language, language_code
from auricle.protocol.deepgram_query import parse_listen
from auricle.protocol.native import Configure
from auricle.protocol.openai_realtime_config import RealtimeConfig, decode_session
from auricle.protocol.openai_rest import read_form
from auricle.protocol.wyoming import WyomingDialect
from auricle.server.native_dialect import NativeDialect
from auricle.server.request import Fields, check
from auricle.types import Task


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
    with pytest.raises(BadRequest, match="language must be"):
        language_code(named)


@pytest.mark.unit
def test_every_api_resolves_languages_alike() -> None:
    openai = read_form({"language": ["nb-NO"]}, Task.TRANSCRIBE)
    deepgram = parse_listen([("language", "nb-NO")])
    realtime = RealtimeConfig().merged(
        decode_session(b'{"audio":{"input":{"transcription":{"language":"nb-NO"}}}}')
    )
    wyoming = WyomingDialect("")
    list(
        wyoming.receive_bytes(
            b'{"type":"transcribe","data":{"language":"nb-NO"}}\n'
            b'{"type":"audio-chunk","data":{"rate":16000,"width":2,"channels":1}}\n'
        )
    )
    (native,) = NativeDialect().receive_text('{"type":"configure","language":"nb-NO"}')
    assert wyoming.wanted is not None
    assert isinstance(native, Configure)
    found = [
        openai.options.language,
        deepgram.language,
        realtime.language,
        wyoming.wanted.language,
        native.language,
        check(Fields(language="nb-NO")).options.language,
        language_of("nb-NO"),
    ]
    assert found == ["no"] * 7


@pytest.mark.unit
def test_a_language_is_improbable_below_a_twentieth_and_unknown_at_zero() -> None:
    assert improbable_language("de", 0.05) is None
    assert improbable_language("de", 0.0) is None
    assert improbable_language(None, 0.01) is None
    assert "German" in (improbable_language("de", 0.049) or "")
