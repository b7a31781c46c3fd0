import pytest
from msgspec import UNSET
from starlette.datastructures import QueryParams

from auricle.apis.asr_webservice.wire.query import parse_asr
from auricle.apis.deepgram.wire.flux_query import parameters_of as flux_parameters
from auricle.apis.deepgram.wire.flux_query import parse_listen_turns
from auricle.apis.deepgram.wire.live import parameters_of as listen_parameters
from auricle.apis.deepgram.wire.query import parse_listen
from auricle.apis.native.dialect import NativeDialect
from auricle.apis.native.wire.stream import parse_query
from auricle.apis.openai.wire.transcription_form import read_form
from auricle.apis.openai_realtime.wire.config import RealtimeConfig, decode_session
from auricle.apis.vosk.wire.options import VoskOptions
from auricle.apis.wyoming.wire.events import WyomingDialect
from auricle.cli.support.speech_options import parse_languages
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.params import parse_query as parse_http_query
from auricle.values.commands import Configure
from auricle.values.errors import BadRequest
from auricle.values.languages import (
    LANGUAGE_NAMES,
    LANGUAGES,
    is_in_another_script,
    language_choice,
    language_code,
    language_warning,
)
from auricle.values.types import Task


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
    assert wyoming.requested is not None
    assert isinstance(native, Configure)
    found = [
        openai.options.language,
        deepgram.language,
        realtime.language,
        wyoming.requested.language,
        native.language,
        check(Fields(language="nb-NO")).options.language,
        parse_languages("nb-NO")[0],
    ]
    assert found == ["no"] * 7


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
def test_every_api_has_a_parameter_against_another_language() -> None:
    query = [("strict_language", "true")]
    realtime = RealtimeConfig().merged(
        decode_session(b'{"audio":{"input":{"transcription":{"strict_language":true}}}}')
    )
    wyoming = WyomingDialect("")
    list(
        wyoming.receive_bytes(
            b'{"type":"transcribe","data":{"strict_language":true}}\n'
            b'{"type":"audio-chunk","data":{"rate":16000,"width":2,"channels":1}}\n'
        )
    )
    assert wyoming.requested is not None
    (native,) = NativeDialect().receive_text('{"type":"configure","strict_language":true}')
    assert isinstance(native, Configure)
    vosk, _ = VoskOptions().merged({"strict_language": True})
    found = [
        check(parse_http_query(QueryParams("strict_language=true"))).options.strict_language,
        read_form({"strict_language": ["true"]}, Task.TRANSCRIBE).options.strict_language,
        parse_asr(query).options.strict_language,
        listen_parameters(parse_listen(query)).strict_language,
        flux_parameters(parse_listen_turns(query)).strict_language,
        parse_query({"strict_language": "1"}).strict_language,
        native.strict_language,
        realtime.parameters().strict_language,
        realtime.update_command().strict_language,
        vosk.parameters().strict_language,
        vosk.update_command().strict_language,
        wyoming.requested.strict_language,
    ]
    assert found == [True] * 12


@pytest.mark.unit
def test_possible_languages_restrict_detection_in_every_api_alike() -> None:
    openai = read_form({"languages": ["de", "pt-BR"]}, Task.TRANSCRIBE).options
    deepgram = parse_listen([("detect_language", "de"), ("detect_language", "pt-BR")])
    realtime = RealtimeConfig().merged(
        decode_session(b'{"audio":{"input":{"transcription":{"languages":["de","pt-BR"]}}}}')
    )
    (native,) = NativeDialect().receive_text('{"type":"configure","languages":["de","pt-BR"]}')
    assert isinstance(native, Configure)
    http = check(parse_http_query(QueryParams("languages=de,pt-BR"))).options
    live = parse_query({"languages": "de,pt-BR"})
    found = [
        (openai.language, openai.languages),
        (deepgram.language, deepgram.languages),
        (realtime.language, realtime.languages),
        (realtime.parameters().language, realtime.parameters().languages),
        (realtime.update_command().language, realtime.update_command().languages),
        (native.language, native.languages),
        (http.language, http.languages),
        language_choice(live.language, live.languages),
        parse_languages("de,pt-BR"),
    ]
    assert found == [(None, ("de", "pt"))] * 9


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
def test_a_language_that_is_named_lifts_a_restriction_and_null_leaves_it() -> None:
    (named,) = NativeDialect().receive_text('{"type":"configure","language":"de"}')
    (unset,) = NativeDialect().receive_text('{"type":"configure","language":null}')
    assert isinstance(named, Configure)
    assert isinstance(unset, Configure)
    assert named.languages == ()
    assert unset.languages is UNSET


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
