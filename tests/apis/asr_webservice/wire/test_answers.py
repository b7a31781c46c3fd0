import json
from dataclasses import replace
from typing import Any

import pytest

from auricle.apis.asr_webservice.wire.answers import detection, encode_answer
from auricle.apis.asr_webservice.wire.query import AsrRequest, Output
from auricle.values.types import Gap, Options, Segment, Speaker, Transcript, Word

pytestmark = pytest.mark.unit

WORDS = (
    Word(1_600, 8_000, " Guten", 0.9, (1,)),
    Word(8_000, 16_000, " Tag.", 0.8, (2, 3)),
)
SEGMENTS = (
    Segment(1_600, 16_000, "Guten Tag.", WORDS, avg_logprob=-0.2, no_speech_prob=0.1),
    Segment(60_000, 80_012, "A\ttab\nand --> <b>"),
)
GREETING = Transcript("Guten Tag. A tab", "de", 0.75, 96_000, SEGMENTS)
DIALOGUE = replace(
    GREETING,
    segments=(replace(SEGMENTS[0], speaker=0), replace(SEGMENTS[1], speaker=1)),
    speakers=(Speaker(0), Speaker(1)),
)
GAP = Gap(84_000, 92_000, "poison_job")
EMPTY = Transcript("", None, 0.0, 16_000)


def written(output: Output, transcript: Transcript = GREETING, **request: Any) -> str:
    return encode_answer(AsrRequest(Options(), output=output, **request), transcript).decode()


def test_text_has_a_line_for_each_segment() -> None:
    assert written(Output.TXT) == "Guten Tag.\nA tab and --> <b>\n"
    assert written(Output.TXT, EMPTY) == ""
    assert written(Output.TXT, DIALOGUE).startswith("[SPEAKER_00]: Guten Tag.\n[SPEAKER_01]: A")


def test_tsv_has_milliseconds() -> None:
    rows = [line.split("\t") for line in written(Output.TSV).splitlines()]
    assert rows == [
        ["start", "end", "text"],
        ["100", "1000", "Guten Tag."],
        ["3750", "5001", "A tab and --> <b>"],
    ]


def test_subtitles() -> None:
    srt = written(Output.SRT)
    assert srt.startswith("1\n00:00:00,100 --> 00:00:01,100\nGuten Tag.\n\n2\n00:00:03,750 -->")
    assert srt.count("-->") == 2
    assert written(Output.VTT).startswith("WEBVTT\n\n00:00:00.100 --> 00:00:01.100\nGuten Tag.\n")
    assert "<v Speaker 2>" in written(Output.VTT, DIALOGUE)
    assert written(Output.SRT, EMPTY) == ""


def test_json_is_whisper_s() -> None:
    body = json.loads(written(Output.JSON))
    assert (body["language"], body["text"], list(body)) == (
        "de",
        GREETING.text,
        ["language", "segments", "text"],
    )
    first, second = body["segments"]
    assert (first["id"], first["seek"], first["start"], first["end"]) == (0, 10, 0.1, 1.0)
    assert (first["tokens"], second["tokens"], second["end"]) == ([1, 2, 3], [], 5.001)
    assert "words" not in first
    assert "speaker" not in first


def test_json_has_words_and_speakers_if_requested() -> None:
    body = json.loads(written(Output.JSON, DIALOGUE, has_words=True))
    first, second = body["segments"]
    assert first["words"] == [
        {"start": 0.1, "end": 0.5, "word": " Guten", "probability": 0.9},
        {"start": 0.5, "end": 1.0, "word": " Tag.", "probability": 0.8},
    ]
    assert second["words"] == []
    assert [first["speaker"], second["speaker"]] == ["SPEAKER_00", "SPEAKER_01"]


def test_gaps_and_warnings_are_visible() -> None:
    gap = {"start": 5.25, "end": 5.75, "code": "poison_job"}
    request = AsrRequest(Options(), output=Output.JSON, warnings=("A warning.",))
    body = json.loads(encode_answer(request, GREETING, [gap], [GAP]))
    assert (body["gaps"], body["warnings"]) == ([gap], ["A warning."])
    srt = encode_answer(replace(request, output=Output.SRT), GREETING, [gap], [GAP]).decode()
    assert "0.5 s missing" in srt


def test_the_language_has_a_name_and_a_probability() -> None:
    assert detection(GREETING) == {
        "detected_language": "german",
        "language_code": "de",
        "confidence": 0.75,
    }
    assert detection(EMPTY) == {
        "detected_language": "Unknown",
        "language_code": "und",
        "confidence": 0.0,
    }
