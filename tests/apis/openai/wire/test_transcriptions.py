import json
from dataclasses import replace
from typing import Any

import pytest

from auricle.apis.openai.wire.transcription_form import Format, SpeechRequest, read_form
from auricle.apis.openai.wire.transcriptions import (
    delta_event,
    done_event,
    encode_answer,
    error_event,
    segment_events,
)
from auricle.text.formats.base import SubtitleLimits
from auricle.values.types import Gap, Segment, Speaker, Task, Transcript, Word

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


def test_subtitles_are_as_large_as_the_form_asks() -> None:
    assert read(response_format="srt").limits == SubtitleLimits(42, 2)
    request = read(response_format="vtt", max_line_width="20", max_lines="1")
    assert request.limits == SubtitleLimits(20, 1)
    assert request.options.word_timestamps  # cues begin and end at words
    segment = Segment(0, 32_000, "Dinner is on the table.")
    answer = encode_answer(request, Transcript("", "en", 1.0, 32_000, (segment,)))
    assert b"Dinner is on the table." not in answer
    assert b"Dinner is on\n\n" in answer or b"Dinner is\n\n" in answer


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_what_is_missing_is_a_line_of_the_subtitles(name: str) -> None:
    missing = (Gap(48_000, 80_000, "poison_job"),)
    answer = encode_answer(read(response_format=name), TRANSCRIPT, GAPS, missing)
    assert b"[2.0 s missing: not recognised (poison_job)]" in answer


DIALOGUE = replace(
    TRANSCRIPT,
    segments=(
        replace(SEGMENTS[0], speaker=1),
        replace(SEGMENTS[1], speaker=0),
        Segment(40_000, 41_000, "Who?"),
    ),
    speakers=(Speaker(0), Speaker(1, "Ann")),
)


def test_diarized_json_has_names_letters_and_a_word_for_unknown_speakers() -> None:
    segment = {"type": "transcript.text.segment"}
    assert json.loads(answer(DIALOGUE, response_format="diarized_json")) == {
        "task": "transcribe",
        "duration": 2.562,
        "text": "Good day. Yes & no.",
        "segments": [
            segment
            | {"id": "seg_0", "start": 0.5, "end": 1.5, "text": " Good day.", "speaker": "Ann"},
            segment
            | {"id": "seg_1", "start": 2.0, "end": 2.5, "text": " Yes & no.", "speaker": "A"},
            segment
            | {"id": "seg_2", "start": 2.5, "end": 2.562, "text": "Who?", "speaker": "unknown"},
        ],
        "usage": {"type": "duration", "seconds": 3},
    }


def test_a_stream_has_an_event_for_each_segment() -> None:
    events = segment_events(DIALOGUE).decode().strip().split("\n\n")
    bodies = [json.loads(event.removeprefix("data: ")) for event in events]
    assert [(body["type"], body["speaker"]) for body in bodies] == [
        ("transcript.text.segment", "Ann"),
        ("transcript.text.segment", "A"),
        ("transcript.text.segment", "unknown"),
    ]


def test_other_formats_show_speakers_where_they_can() -> None:
    segments = json.loads(answer(DIALOGUE, response_format="verbose_json"))["segments"]
    assert [segment.get("speaker") for segment in segments] == ["Ann", "A", None]
    assert "Ann: Good day." in answer(DIALOGUE, response_format="srt")
    assert "<v Speaker 1>Speaker 1: Yes &amp; no." in answer(DIALOGUE, response_format="vtt")
    assert answer(DIALOGUE, response_format="text") == "Good day. Yes & no.\n"
