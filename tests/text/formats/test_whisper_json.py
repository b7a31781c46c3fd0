import pytest

from auricle.text.formats.whisper_json import seconds, segment_fields
from auricle.values.types import Segment, Word

pytestmark = pytest.mark.unit


def test_a_segment_has_the_fields_of_whisper_s_programs() -> None:
    words = (Word(8_000, 16_000, " Hi", 0.5, (7, 8)), Word(16_000, 24_000, " you", 0.5, (9,)))
    segment = Segment(8_000, 24_000, "Hi you", words, -0.25, 0.1, 1.5, 0.2)
    assert segment_fields(3, segment) == {
        "id": 3,
        "seek": 50,
        "start": 0.5,
        "end": 1.5,
        "text": "Hi you",
        "tokens": [7, 8, 9],
        "temperature": 0.2,
        "avg_logprob": -0.25,
        "compression_ratio": 1.5,
        "no_speech_prob": 0.1,
    }


def test_tokens_are_unknown_without_words() -> None:
    assert segment_fields(0, Segment(0, 16_000, "Hi"))["tokens"] == []


def test_times_are_rounded_to_milliseconds() -> None:
    assert [seconds(samples) for samples in (0, 7, 9, 24_000)] == [0.0, 0.0, 0.001, 1.5]
