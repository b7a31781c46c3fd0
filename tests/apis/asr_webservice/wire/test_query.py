from typing import Any
from urllib.parse import parse_qsl

import pytest

from auricle.apis.asr_webservice.wire.query import AsrRequest, Output, parse_asr, parse_detection
from auricle.protocol.fields import MAX_LIST_VALUES
from auricle.text.formats import registry
from auricle.values.errors import BadRequest, UnsupportedOption
from auricle.values.limits import MAX_HOTWORDS, MAX_PROMPT_CHARACTERS
from auricle.values.types import Options, SpeakerOptions, Task

pytestmark = pytest.mark.unit

BAZARR = "task=transcribe&language=de&output=srt&encode=false&video_file=%2Ftv%2FShow+S01.mkv"
SPEAKR = (
    "encode=true&task=transcribe&output=json&diarize=true&enable_diarization=true"
    "&return_speaker_embeddings=true&min_speakers=2&hotwords=Auricle,Bazarr"
)


def parsed(query: str) -> AsrRequest:
    return parse_asr(parse_qsl(query, keep_blank_values=True))


def test_without_options_a_file_becomes_text() -> None:
    assert parsed("") == AsrRequest(Options())


def test_bazarr_s_query() -> None:
    options = Options("de", word_timestamps=True)
    assert parsed(BAZARR) == AsrRequest(options, is_raw=True, output=Output.SRT)
    assert parsed(BAZARR.replace("transcribe", "translate")).options.task is Task.TRANSLATE


def test_speakr_s_query() -> None:
    request = parsed(SPEAKR)
    assert (request.output, request.is_raw) == (Output.JSON, False)
    assert request.speakers == SpeakerOptions(min_speakers=2)
    assert request.options.hotwords == ("Auricle", "Bazarr")
    (warning,) = request.warnings
    assert warning.startswith("return_speaker_embeddings ")


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("word_timestamps=true&output=json", "has_words", True),
        ("encode=False", "is_raw", True),
        ("encode=0", "is_raw", True),
        ("output=VTT", "output", Output.VTT),
        ("output=tsv&output=txt", "output", Output.TXT),
        ("enable_diarization=1", "speakers", SpeakerOptions()),
        ("diarize=false&enable_diarization=false", "speakers", None),
    ],
)
def test_options(query: str, name: str, value: Any) -> None:
    request = parsed(query)
    assert getattr(request, name) == value
    assert request.warnings == ()


@pytest.mark.parametrize("language", ["", "auto"])
def test_the_language_is_detected_unless_one_is_named(language: str) -> None:
    assert parsed(f"language={language}").options.language is None


def test_a_long_prompt_loses_its_beginning() -> None:
    request = parsed(f"initial_prompt={'a' * MAX_PROMPT_CHARACTERS}bc")
    assert request.options.initial_prompt == f"{'a' * MAX_PROMPT_CHARACTERS}bc"[2:]


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        ("output=ass", "output must be one of txt, vtt, srt, tsv, json; txt is used."),
        ("beam_size=3", "beam_size is not supported and has no effect."),
        ("max_speakers=3", "max_speakers has no effect without diarize."),
    ],
)
def test_what_has_no_effect_is_reported(query: str, warning: str) -> None:
    assert parsed(query).warnings == (warning,)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("task=sing", "task"),
        ("language=klingon", "language"),
        ("encode=perhaps", "encode"),
        ("word_timestamps=2", "word_timestamps"),
        ("diarize=1&min_speakers=0", "min_speakers"),
        ("diarize=1&min_speakers=3&max_speakers=2", "min_speakers"),
        ("min_speakers=two", "min_speakers"),
        (f"hotwords={','.join(['a'] * (MAX_HOTWORDS + 1))}", "hotwords"),
        (f"model={'m' * 1000}", "model"),
    ],
)
def test_values_that_make_the_result_useless_are_rejected(query: str, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parsed(query)
    assert caught.value.field == field
    assert "klingon" not in str(caught.value)


def test_detection_has_two_options_and_ignores_others() -> None:
    request = parse_detection([("encode", "false"), ("model", "tiny"), ("task", "sing")])
    assert (request.is_raw, request.options.model, request.warnings) == (True, "tiny", ())
    with pytest.raises(BadRequest):
        parse_detection([("encode", "perhaps")])


def test_a_long_list_is_refused_before_it_is_split() -> None:
    with pytest.raises(BadRequest, match="hotwords has too many values") as caught:
        parse_asr([("hotwords", "," * MAX_LIST_VALUES)])
    assert caught.value.field == "hotwords"


def test_the_requested_language_may_be_kept() -> None:
    assert parse_asr([("strict_language", "true")]).options.strict_language


def test_subtitles_are_refused_by_a_server_without_their_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "FORMATS", {})
    for query in ("output=srt", "output=VTT"):
        with pytest.raises(UnsupportedOption, match="choose another one"):
            parsed(query)
    assert parsed("output=tsv").output is Output.TSV
