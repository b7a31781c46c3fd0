"""The parameters of languages mean the same in several APIs; others test it in their folders."""

import pytest
from msgspec import UNSET
from starlette.datastructures import QueryParams

from auricle.apis.deepgram.wire.flux_query import parameters_of as flux_parameters
from auricle.apis.deepgram.wire.flux_query import parse_listen_turns
from auricle.apis.deepgram.wire.live import parameters_of as listen_parameters
from auricle.apis.deepgram.wire.query import parse_listen
from auricle.apis.native.dialect import NativeDialect
from auricle.apis.native.wire.stream import parse_query
from auricle.apis.openai.wire.transcription_form import read_form
from auricle.apis.openai_realtime.wire.config import RealtimeConfig, decode_session
from auricle.cli.support.speech_options import parse_languages
from auricle.server.uploads.params import Fields, check
from auricle.server.uploads.params import parse_query as parse_http_query
from auricle.values.commands import Configure
from auricle.values.languages import (
    language_choice,
)
from auricle.values.types import Task

pytestmark = pytest.mark.unit


def test_every_api_resolves_languages_alike() -> None:
    openai = read_form({"language": ["nb-NO"]}, Task.TRANSCRIBE)
    deepgram = parse_listen([("language", "nb-NO")])
    realtime = RealtimeConfig().merged(
        decode_session(b'{"audio":{"input":{"transcription":{"language":"nb-NO"}}}}')
    )
    (native,) = NativeDialect().receive_text('{"type":"configure","language":"nb-NO"}')
    assert isinstance(native, Configure)
    found = [
        openai.options.language,
        deepgram.language,
        realtime.language,
        native.language,
        check(Fields(language="nb-NO")).options.language,
        parse_languages("nb-NO")[0],
    ]
    assert found == ["no"] * 6


def test_every_api_has_a_parameter_against_another_language() -> None:
    query = [("strict_language", "true")]
    realtime = RealtimeConfig().merged(
        decode_session(b'{"audio":{"input":{"transcription":{"strict_language":true}}}}')
    )
    (native,) = NativeDialect().receive_text('{"type":"configure","strict_language":true}')
    assert isinstance(native, Configure)
    found = [
        check(parse_http_query(QueryParams("strict_language=true"))).options.strict_language,
        read_form({"strict_language": ["true"]}, Task.TRANSCRIBE).options.strict_language,
        listen_parameters(parse_listen(query)).strict_language,
        flux_parameters(parse_listen_turns(query)).strict_language,
        parse_query({"strict_language": "1"}).strict_language,
        native.strict_language,
        realtime.parameters().strict_language,
        realtime.update_command().strict_language,
    ]
    assert found == [True] * 8


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


def test_a_language_that_is_named_lifts_a_restriction_and_null_leaves_it() -> None:
    (named,) = NativeDialect().receive_text('{"type":"configure","language":"de"}')
    (unset,) = NativeDialect().receive_text('{"type":"configure","language":null}')
    assert isinstance(named, Configure)
    assert isinstance(unset, Configure)
    assert named.languages == ()
    assert unset.languages is UNSET
