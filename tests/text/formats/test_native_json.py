"""Response bodies of the native API."""

from dataclasses import replace

import pytest

from auricle.text.formats.gaps import gap_fields
from auricle.text.formats.native_json import parse_transcript, transcript_body
from auricle.values.types import Gap, Segment, Speaker, Timing, Transcript, Word

pytestmark = pytest.mark.unit

WORD = Word(800, 1600, " Hello", 0.123456)
SEGMENT = Segment(0, 16_000, " Hello", (WORD,), language="en")
TRANSCRIPT = Transcript(
    "Hello", "en", 0.987654, 24_000, (SEGMENT,), Timing(1.23456, 2.0, 3.0, 4.0), attempts=2
)


def test_times_are_seconds_and_figures_are_rounded() -> None:
    body = transcript_body("job", "trace", TRANSCRIPT, model="tiny")
    assert body == {
        "job_id": "job",
        "trace_id": "trace",
        "model": "tiny",
        "text": "Hello",
        "language": "en",
        "language_probability": 0.9877,
        "duration_ms": 1500,
        "segments": [
            {
                "start": 0.0,
                "end": 1.0,
                "text": " Hello",
                "language": "en",
                "words": [{"start": 0.05, "end": 0.1, "word": " Hello", "probability": 0.1235}],
            }
        ],
        "timing_ms": {"decode": 1.235, "queue": 2.0, "ipc": 3.0, "asr": 4.0},
        "attempts": 2,
        "error": None,
    }


def test_speakers_are_listed_and_on_segments_and_words() -> None:
    word = replace(WORD, speaker=0, speaker_confidence=0.123456)
    segments = (replace(SEGMENT, words=(word,), speaker=0), replace(SEGMENT, words=None))
    speakers = (Speaker(0), Speaker(1, "Ann"))
    body = transcript_body(
        "job", "trace", replace(TRANSCRIPT, segments=segments, speakers=speakers)
    )
    assert body["speakers"] == [{"speaker": 0, "name": None}, {"speaker": 1, "name": "Ann"}]
    assert [segment["speaker"] for segment in body["segments"]] == [0, None]
    words = body["segments"][0]["words"]
    assert words is not None
    assert (words[0]["speaker"], words[0]["speaker_confidence"]) == (0, 0.1235)


def test_separate_channels_are_on_segments_and_gaps() -> None:
    transcript = replace(TRANSCRIPT, segments=(replace(SEGMENT, channel=1),))
    body = transcript_body("job", "trace", transcript, (Gap(0, 16_000, "bad_audio", 0),))
    assert [segment.get("channel") for segment in body["segments"]] == [1]
    assert body["error"] is not None
    assert [gap["channel"] for gap in body["error"]["gaps"]] == [0]


def test_a_corrected_segment_has_its_original_text() -> None:
    transcript = replace(TRANSCRIPT, segments=(SEGMENT, replace(SEGMENT, original="hi")))
    first, second = transcript_body("J", "T", transcript)["segments"]
    assert "original" not in first
    assert second["original"] == "hi"


def test_gaps_are_an_error_with_their_places() -> None:
    gaps = (Gap(16_000, 32_000, "bad_audio"), Gap(48_000, 64_000, "poison_job"))
    error = transcript_body("job", "trace", TRANSCRIPT, gaps)["error"]
    assert isinstance(error, dict)
    assert (error["code"], error["retryable"]) == ("bad_audio", False)
    assert error["gaps"] == gap_fields(gaps)
    assert [(gap["start"], gap["end"]) for gap in gap_fields(gaps)] == [(1.0, 2.0), (3.0, 4.0)]


def test_warnings_are_listed_only_if_there_are_any() -> None:
    assert "warnings" not in transcript_body("job", "trace", TRANSCRIPT)
    body = transcript_body("job", "trace", TRANSCRIPT, warnings=("An option has no effect.",))
    assert body["warnings"] == ("An option has no effect.",)


def test_a_body_is_parsed_to_the_transcript_that_it_was_made_of() -> None:
    transcript = Transcript(
        text="Good morning.",
        language="en",
        language_probability=0.9,
        duration_samples=32_000,
        segments=(
            Segment(
                0,
                8_000,
                "Good",
                (Word(0, 4_000, "Good", 0.8),),
                language="en",
                channel=1,
                original="God",
            ),
            Segment(8_000, 16_000, "morning.", language="en"),
        ),
        attempts=2,
    )
    gaps = (Gap(16_000, 32_000, "poison_job", 1),)
    assert parse_transcript(transcript_body("a", "t", transcript, gaps)) == (transcript, gaps)
    named = replace(
        transcript,
        segments=(
            Segment(
                0,
                8_000,
                "Hi",
                (Word(0, 4_000, "Hi", 0.8, speaker=0, speaker_confidence=0.7),),
                speaker=0,
            ),
        ),
        speakers=(Speaker(0, "Ann"), Speaker(1)),
    )
    assert parse_transcript(transcript_body("a", "t", named)) == (named, ())
