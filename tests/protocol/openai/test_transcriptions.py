import json
from dataclasses import replace
from typing import Any

import pytest

from auricle.errors import BadRequest
from auricle.limits import MAX_HOTWORDS, MAX_PROMPT_CHARACTERS
from auricle.protocol.openai.transcriptions import (
    Format,
    SpeechRequest,
    delta_event,
    done_event,
    encode_answer,
    error_event,
    error_fields,
    read_form,
)
from auricle.protocol.subtitle_layout import SubtitleLimits
from auricle.types import Gap, Options, Segment, Task, Transcript, Word

pytestmark = pytest.mark.unit

SEGMENTS = (
    Segment(
        8_000,
        24_000,
        " Good day.",
        (Word(8_000, 12_000, " Good", 0.9, (2205,)), Word(12_000, 24_000, " day.", 0.8, (786, 13))),
        avg_logprob=-0.25,
        no_speech_prob=0.125,
        compression_ratio=0.75,
        temperature=0.2,
    ),
    Segment(32_000, 40_000, " Yes & no."),
)
TRANSCRIPT = Transcript("Good day. Yes & no.", "en", 0.98, 41_000, SEGMENTS)
GAPS = [{"start": 1.0, "end": 2.0, "code": "poison_job"}]


def read(task: Task = Task.TRANSCRIBE, /, **fields: str | list[str]) -> SpeechRequest:
    values = {name: [value] if isinstance(value, str) else value for name, value in fields.items()}
    return read_form(values, task)


def answer(
    transcript: Transcript = TRANSCRIPT, /, gaps: Any = (), **fields: str | list[str]
) -> str:
    return encode_answer(read(**fields), transcript, gaps).decode()


def test_a_form_without_any_field_asks_for_json() -> None:
    options = Options(sentence_times=False)
    assert read() == SpeechRequest("", options, Format.JSON, True, False)


def test_every_field_is_read() -> None:
    request = read(
        model="whisper-1",
        language="pt-BR",
        prompt="Names: Ana.",
        keywords=["Auricle", " ", "Opus"],
        response_format="verbose_json",
        temperature="0.4",
        timestamp_granularities=["word", "segment"],
    )
    options = Options(
        "pt", initial_prompt="Names: Ana.", hotwords=("Auricle", "Opus"), word_timestamps=True
    )
    assert replace(request, warnings=()) == SpeechRequest(
        "whisper-1", options, Format.VERBOSE_JSON, True, False
    )
    assert read(stream="true").is_streamed


def test_what_is_empty_is_left_out() -> None:
    names = ("model", "language", "prompt", "response_format", "temperature", "stream")
    assert read(**dict.fromkeys(names, "")) == read()
    assert read(keywords="", languages="", timestamp_granularities="") == read()


def test_one_possible_language_is_the_language_and_several_are_none() -> None:
    assert read(languages="de").options.language == "de"
    assert read(languages=["de", "en"]).options.language is None
    assert read(languages="de", language="en").options.language == "en"


@pytest.mark.parametrize(
    "texts", ["word,segment", "word, segment", '["word", "segment"]', ["word", "segment"]]
)
def test_a_list_may_be_repeated_or_hold_commas_or_be_json(texts: str | list[str]) -> None:
    request = read(timestamp_granularities=texts, response_format="verbose_json")
    assert (request.options.word_timestamps, request.has_segments) == (True, True)


def test_keywords_may_be_json_or_hold_commas() -> None:
    assert read(keywords='["Auricle", "a, b"]').options.hotwords == ("Auricle", "a, b")
    assert read(keywords="Auricle, Opus").options.hotwords == ("Auricle", "Opus")


def test_translations_are_never_streamed() -> None:
    request = read(Task.TRANSLATE, stream="true")
    assert not request.is_streamed
    assert request.options.task is Task.TRANSLATE


def test_of_a_long_prompt_the_end_is_kept() -> None:
    assert read(prompt="x" * MAX_PROMPT_CHARACTERS + "end").options.initial_prompt == (
        "x" * (MAX_PROMPT_CHARACTERS - 3) + "end"
    )


def test_words_are_looked_for_only_where_they_can_be_reported() -> None:
    assert not read(timestamp_granularities="word").options.word_timestamps
    request = read(timestamp_granularities="word", response_format="verbose_json")
    assert (request.options.word_timestamps, request.has_segments) == (True, False)


@pytest.mark.parametrize("response_format", list(Format))
def test_times_are_looked_for_only_where_they_can_be_reported(response_format: Format) -> None:
    has_times = response_format in (Format.SRT, Format.VTT, Format.VERBOSE_JSON)
    assert read(response_format=response_format.value).options.sentence_times is has_times
    streamed = read(
        response_format=response_format.value,
        timestamp_granularities=["word", "segment"],
        stream="true",
    )
    assert streamed.options == Options(sentence_times=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_format", "yaml"),
        ("response_format", "diarized_json"),
        ("temperature", "warm"),
        ("temperature", "1.1"),
        ("temperature", "-0.1"),
        ("temperature", "nan"),
        ("timestamp_granularities", "letter"),
        ("timestamp_granularities", "[word]"),
        ("timestamp_granularities", '{"word": 1}'),
        ("language", "klingon"),
        ("languages", "klingon"),
        ("stream", "maybe"),
        ("keywords", "x" * 101),
        ("keywords", ["x"] * (MAX_HOTWORDS + 1)),
    ],
)
def test_a_field_that_can_not_be_used_is_named(field: str, value: str | list[str]) -> None:
    with pytest.raises(BadRequest) as raised:
        read(**{field: value})
    assert raised.value.field == field


def test_json_has_text_language_and_duration() -> None:
    assert json.loads(answer()) == {
        "text": "Good day. Yes & no.",
        "languages": [{"code": "en"}],
        "usage": {"type": "duration", "seconds": 3},
    }


def test_verbose_json_has_the_models_own_figures() -> None:
    fields: dict[str, str | list[str]] = {
        "response_format": "verbose_json",
        "timestamp_granularities": ["segment", "word"],
    }
    assert json.loads(answer(**fields)) == {
        "task": "transcribe",
        "language": "english",
        "duration": 2.562,
        "text": "Good day. Yes & no.",
        "usage": {"type": "duration", "seconds": 3},
        "segments": [
            {
                "id": 0,
                "seek": 50,
                "start": 0.5,
                "end": 1.5,
                "text": " Good day.",
                "tokens": [2205, 786, 13],
                "temperature": 0.2,
                "avg_logprob": -0.25,
                "compression_ratio": 0.75,
                "no_speech_prob": 0.125,
            },
            {
                "id": 1,
                "seek": 200,
                "start": 2.0,
                "end": 2.5,
                "text": " Yes & no.",
                "tokens": [],
                "temperature": 0.0,
                "avg_logprob": 0.0,
                "compression_ratio": 0.0,
                "no_speech_prob": 0.0,
            },
        ],
        "words": [
            {"word": "Good", "start": 0.5, "end": 0.75},
            {"word": "day.", "start": 0.75, "end": 1.5},
        ],
    }


def test_segments_are_left_out_where_words_alone_are_asked_for() -> None:
    body = json.loads(answer(response_format="verbose_json", timestamp_granularities="word"))
    assert "segments" not in body
    assert len(body["words"]) == 2
    assert "words" not in json.loads(answer(response_format="verbose_json"))


def test_a_translation_is_english_whatever_was_spoken() -> None:
    german = Transcript("Good day.", "de", 0.9, 16_000)
    request = read(Task.TRANSLATE, response_format="verbose_json")
    body = json.loads(encode_answer(request, german))
    assert (body["task"], body["language"]) == ("translate", "english")


def test_silence_has_no_language() -> None:
    silence = Transcript("", None, 0.0, 16_000)
    assert json.loads(answer(silence))["languages"] == []
    assert json.loads(answer(silence, response_format="verbose_json"))["language"] == "unknown"


def test_text_and_subtitles_are_plain() -> None:
    assert answer(response_format="text") == "Good day. Yes & no.\n"
    assert answer(response_format="srt").startswith("1\n00:00:00,500 --> 00:00:01,500\nGood day.\n")
    assert answer(response_format="vtt").startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.500\n")


@pytest.mark.parametrize(
    ("response_format", "media_type"),
    [
        ("json", "application/json"),
        ("verbose_json", "application/json"),
        ("text", "text/plain"),
        ("srt", "text/plain"),
        ("vtt", "text/plain"),
    ],
)
def test_each_format_has_its_type(response_format: str, media_type: str) -> None:
    assert Format(response_format).media_type == media_type


def test_what_is_missing_is_reported_where_there_is_a_place() -> None:
    assert json.loads(answer(gaps=GAPS))["gaps"] == GAPS
    assert json.loads(answer(gaps=GAPS, response_format="verbose_json"))["gaps"] == GAPS
    assert json.loads(done_event(TRANSCRIPT, GAPS).removeprefix(b"data: "))["gaps"] == GAPS


def test_events_are_lines_of_data() -> None:
    assert delta_event(" and\n") == (
        b'data: {"type":"transcript.text.delta","delta":" and\\n"}\n\n'
    )
    assert done_event(TRANSCRIPT) == (
        b'data: {"type":"transcript.text.done","text":"Good day. Yes & no.",'
        b'"languages":[{"code":"en"}]}\n\n'
    )
    assert error_event({"code": "draining"}) == b'data: {"error":{"code":"draining"}}\n\n'


def test_errors_say_whose_fault_they_are() -> None:
    assert error_fields("Do this.", status=400, code="bad_request", param="model") == {
        "message": "Do this.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "bad_request",
    }
    assert error_fields("Wait.", status=503, code="queue_full")["type"] == "server_error"


def test_subtitles_are_as_large_as_the_form_asks() -> None:
    assert read(response_format="srt").limits == SubtitleLimits(42, 2)
    request = read(response_format="vtt", max_line_width="20", max_lines="1")
    assert request.limits == SubtitleLimits(20, 1)
    assert request.options.word_timestamps  # cues begin and end at words
    segment = Segment(0, 32_000, "Dinner is on the table.")
    answer = encode_answer(request, Transcript("", "en", 1.0, 32_000, (segment,)))
    assert b"Dinner is on the table." not in answer
    assert b"Dinner is on\n\n" in answer or b"Dinner is\n\n" in answer


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_line_width", "11"), ("max_line_width", "x"), ("max_lines", "0"), ("max_lines", "-1")],
)
def test_sizes_that_no_subtitle_can_have_are_refused(name: str, value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(response_format="srt", **{name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_what_is_missing_is_a_line_of_the_subtitles(name: str) -> None:
    missing = (Gap(48_000, 80_000, "poison_job"),)
    answer = encode_answer(read(response_format=name), TRANSCRIPT, GAPS, missing)
    assert b"[2.0 s missing: not recognised (poison_job)]" in answer
