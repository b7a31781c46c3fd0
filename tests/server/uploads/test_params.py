import json
from dataclasses import replace
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from auricle.protocol.fields import convert
from auricle.server.uploads.params import (
    Fields,
    check,
    decode_params,
    encode_params,
    ended_request,
    parse_query,
)
from auricle.values.audio_formats import FORMAT_OPTIONS
from auricle.values.errors import BadRequest, UnsupportedFormat
from auricle.values.text_filters import redaction
from auricle.values.types import DEFAULT_BEAM_SIZE, Options, Redact, Task

pytestmark = pytest.mark.unit

PARAMS = check(Fields(job_id="job", audio_format="pcm16"))


def test_everything_has_a_default() -> None:
    parsed = check(Fields())
    assert parsed.options == Options()
    assert (parsed.audio_format, parsed.sample_rate_hz, parsed.max_wait_s) == ("auto", 16_000, None)
    assert parsed.trace_id == parsed.job_id
    assert check(Fields()).job_id != parsed.job_id


def test_null_is_the_same_as_leaving_a_field_out() -> None:
    nothing = Fields(job_id="a")
    fields = {"job_id": "a", "beam_size": None, "task": None, "hotwords": None}
    assert check(convert(fields, Fields, "body")) == check(nothing)


def test_all_fields_arrive() -> None:
    parsed = check(
        Fields(
            job_id="a1",
            trace_id="00-abc/def",
            audio_format="PCM16",
            sample_rate=48_000.0,
            language="DE",
            task="translate",
            beam_size=1,
            initial_prompt="Glossary",
            hotwords=("Auricle",),
            condition_on_previous_text=True,
            word_timestamps=True,
            max_wait_s=2.5,
            opus_packet_bytes=60,
        )
    )
    assert parsed.options == Options(
        "de", Task.TRANSLATE, 1, "Glossary", ("Auricle",), word_timestamps=True
    )
    assert (parsed.job_id, parsed.trace_id, parsed.audio_format) == ("a1", "00-abc/def", "pcm16")
    assert (parsed.sample_rate_hz, parsed.max_wait_s, parsed.opus_packet_bytes) == (48_000, 2.5, 60)
    assert parsed.condition_on_previous_text


def test_a_retention_of_no_audio_is_another_value_than_none() -> None:
    assert check(Fields()).keep_audio_s is None
    assert check(Fields(keep_audio_s=0)).keep_audio_s == 0
    assert check(parse_query(QueryParams("keep_audio_s=60"))).keep_audio_s == 60


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "2592001"])
def test_a_retention_out_of_range_is_refused(value: str) -> None:
    with pytest.raises(BadRequest, match="keep_audio_s"):
        parse_query(QueryParams(f"keep_audio_s={value}"))


@pytest.mark.parametrize("named", ["auto", "AUTO", ""])
def test_the_language_is_detected_unless_named(named: str) -> None:
    assert check(Fields(language=named)).options.language is None


@pytest.mark.parametrize(("named", "code"), [("pt-BR", "pt"), ("zh_TW", "zh"), ("haw", "haw")])
def test_a_region_is_let_go(named: str, code: str) -> None:
    assert check(Fields(language=named)).options.language == code


def test_src_lang_is_another_name_for_language() -> None:
    assert check(Fields(src_lang="fr")).options.language == "fr"
    assert check(Fields(src_lang="fr", language="de")).options.language == "de"


BAD = [
    {"job_id": "a b"},
    {"job_id": "x" * 129},
    {"job_id": "../../etc"},
    {"job_id": "a\n"},
    {"trace_id": "a b"},
    {"trace_id": "x" * 257},
    {"sample_rate": 7},
    {"sample_rate": 7_999},
    {"sample_rate": 96_001},
    {"sample_rate": 1_000_000},
    {"sample_rate": 16_000.5},
    {"sample_rate": float("nan")},
    {"sample_rate": float("inf")},
    {"sample_rate": 10**400},
    {"sample_rate": -16_000},
    {"language": "klingon"},
    {"language": "-"},
    {"task": "sing"},
    {"beam_size": 0},
    {"beam_size": 21},
    {"beam_size": 1.5},
    {"beam_size": float("nan")},
    {"initial_prompt": "x" * 10_001},
    {"hotwords": ["x"] * 501},
    {"hotwords": ["x" * 101]},
    {"max_wait_s": 0},
    {"max_wait_s": -1},
    {"max_wait_s": float("nan")},
    {"max_wait_s": 1e9},
    {"opus_packet_bytes": 0},
    {"opus_packet_bytes": 4001},
]


@pytest.mark.parametrize("fields", BAD, ids=lambda fields: str(fields)[:40])
def test_what_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        check(convert(fields, Fields, "body"))
    assert next(iter(fields)) in str(caught.value)


@pytest.mark.parametrize("rate", [8_000, 96_000])
def test_the_rates_at_the_edges_are_accepted(rate: int) -> None:
    assert check(Fields(sample_rate=rate)).sample_rate_hz == rate


def test_an_unknown_format_is_refused_with_the_list_of_those_that_are_known() -> None:
    with pytest.raises(UnsupportedFormat) as caught:
        check(Fields(audio_format="midi"))
    assert all(name in str(caught.value) for name in FORMAT_OPTIONS)
    assert "midi" not in str(caught.value)


def test_a_query_is_read_as_the_types_it_stands_for() -> None:
    query = QueryParams(
        "sample_rate=8000&beam_size=2&word_timestamps=1&condition_on_previous_text=false"
        "&max_wait_s=1.5&hotwords=a,b&hotwords=c&unknown=1"
    )
    parsed = check(parse_query(query))
    assert (parsed.sample_rate_hz, parsed.options.beam_size, parsed.max_wait_s) == (8000, 2, 1.5)
    assert parsed.options.word_timestamps
    assert not parsed.condition_on_previous_text
    assert parsed.options.hotwords == ("a", "b", "c")


@pytest.mark.parametrize(
    "query", ["sample_rate=fast", "word_timestamps=perhaps", "max_wait_s=nan", "sample_rate=nan"]
)
def test_a_query_with_other_types_is_refused(query: str) -> None:
    with pytest.raises(BadRequest):
        check(parse_query(QueryParams(query)))


def test_parameters_survive_storing() -> None:
    options = replace(
        PARAMS.options,
        language="de",
        task=Task.TRANSLATE,
        hotwords=("Auricle",),
        languages=("de", "en"),
    )
    params = replace(
        PARAMS,
        options=options,
        max_wait_s=2.5,
        warnings=("x has no effect",),
        filters=redaction((Redact.PCI, Redact.EMAIL)),
    )
    assert decode_params(encode_params(params)) == params


def test_parameters_of_other_versions_are_readable() -> None:
    stored = json.loads(encode_params(PARAMS))
    stored["later_field"] = 1
    del stored["options"]["beam_size"]
    params = decode_params(json.dumps(stored).encode())
    assert params.options.beam_size == DEFAULT_BEAM_SIZE


def test_only_the_callback_is_kept_of_a_job_that_has_ended() -> None:
    assert ended_request(encode_params(PARAMS)) == b""
    assert ended_request(b"of another version") == b"of another version"
    fields = Fields(
        job_id="job",
        audio_format="pcm16",
        initial_prompt="word " * 200,
        callback_url="https://receiver.example",
    )
    params = check(fields)
    kept = ended_request(encode_params(params))
    assert decode_params(kept).callback == params.callback
    assert b"word " not in kept
