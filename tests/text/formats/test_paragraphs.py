"""Paragraphs: where one starts, and what it has."""

import pytest

from auricle.text.formats.paragraphs import (
    MAX_CHARACTERS,
    PAUSE_SAMPLES,
    Paragraph,
    clock,
    paragraphs_of,
)
from auricle.values.types import SAMPLE_RATE_HZ, Gap, Segment, Speaker

pytestmark = pytest.mark.unit

S = SAMPLE_RATE_HZ


def texts(*segments: Segment, language: str | None = "en") -> list[str]:
    return [each.text for each in paragraphs_of(segments, language=language)]


def test_sentences_are_one_paragraph_until_a_pause() -> None:
    first, second = Segment(0, S, " One."), Segment(S, 2 * S, " Two.")
    late = Segment(2 * S + PAUSE_SAMPLES, 5 * S, " Three.")
    assert texts(late, first, second, Segment(6 * S, 7 * S, " ")) == ["One. Two.", "Three."]
    assert texts(first, second, language="ja") == ["One.Two."]


def test_a_long_paragraph_ends_at_a_sentence() -> None:
    half = "x" * (MAX_CHARACTERS // 2)
    segments = [Segment(at * S, (at + 1) * S, half) for at in range(3)]
    assert texts(*segments) == [f"{half} {half}", half]


def test_speakers_and_gaps_have_paragraphs_of_their_own() -> None:
    segments = [
        Segment(0, S, "One.", speaker=0),
        Segment(S, 2 * S, "Two.", speaker=0),
        Segment(2 * S, 3 * S, "Three.", speaker=1),
        Segment(4 * S, 5 * S, "Four.", speaker=1),
    ]
    speakers = [Speaker(0, "Ann"), Speaker(1)]
    assert paragraphs_of(segments, [Gap(3 * S, 4 * S, "too_slow")], speakers) == [
        Paragraph(0, "One. Two.", "Ann"),
        Paragraph(2 * S, "Three.", "Speaker 2"),
        Paragraph(3 * S, "[1.0 s missing: connection too slow]", is_gap=True),
        Paragraph(4 * S, "Four.", "Speaker 2"),
    ]


def test_times_are_as_short_as_they_can_be() -> None:
    assert [clock(seconds * S) for seconds in (0, 67, 3723)] == ["0:00", "1:07", "1:02:03"]


def test_a_user_says_where_paragraphs_start_but_no_speaker_continues_another() -> None:
    one, two = Segment(0, S, "One.", speaker=0), Segment(S, 2 * S, "Two.", speaker=0)
    three = Segment(9 * S, 10 * S, "x" * MAX_CHARACTERS, speaker=0)
    four = Segment(10 * S, 11 * S, "Four.", speaker=1)
    segments = [one, two, three, four]
    starts = [None, True, False, False]
    shown = [each.text for each in paragraphs_of(segments, starts=starts)]
    assert shown == ["One.", f"Two. {three.text}", "Four."]
