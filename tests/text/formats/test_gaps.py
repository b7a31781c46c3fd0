"""Lines for gaps in a transcript."""

import pytest

from auricle.text.formats.gaps import (
    NOT_CAPTURED,
    STOPPED,
    TOO_SLOW,
    UNREACHABLE,
    gap_line,
    text_with_gaps,
)
from auricle.values.types import SAMPLE_RATE_HZ, Gap, Segment, Speaker, Transcript

pytestmark = pytest.mark.unit

SECOND = SAMPLE_RATE_HZ


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (UNREACHABLE, "server unreachable"),
        (NOT_CAPTURED, "microphone not read in time"),
        (TOO_SLOW, "connection too slow"),
        (STOPPED, "stopped before its text arrived"),
        ("poison_job", "not recognised (poison_job)"),
    ],
)
def test_a_gap_is_a_line_with_its_length_and_reason(code: str, reason: str) -> None:
    assert gap_line(Gap(0, 508_800, code)) == f"[31.8 s missing: {reason}]"


def test_text_has_a_line_for_each_gap_in_order_of_time() -> None:
    segments = (
        Segment(0, SECOND, " One."),
        Segment(SECOND, 2 * SECOND, "Two."),
        Segment(9 * SECOND, 10 * SECOND, "Three."),
    )
    transcript = Transcript("One. Two. Three.", "en", 1.0, 12 * SECOND, segments)
    late, early = Gap(11 * SECOND, 12 * SECOND, "x"), Gap(2 * SECOND, 9 * SECOND, UNREACHABLE)
    assert text_with_gaps(transcript, ()) == "One. Two. Three."
    assert text_with_gaps(transcript, (late, early)).splitlines() == [
        "One. Two.",
        "[7.0 s missing: server unreachable]",
        "Three.",
        "[1.0 s missing: not recognised (x)]",
    ]


def test_languages_without_spaces_get_none() -> None:
    segments = (Segment(0, 1, "今日"), Segment(1, 2, "は"))
    transcript = Transcript("今日は", "ja", 1.0, 3, segments)
    assert text_with_gaps(transcript, (Gap(2, 3, UNREACHABLE),)).startswith("今日は\n[")


def test_each_turn_of_a_speaker_is_a_line_with_the_name() -> None:
    segments = (
        Segment(0, SECOND, " One.", speaker=0),
        Segment(SECOND, 2 * SECOND, "Two.", speaker=0),
        Segment(3 * SECOND, 4 * SECOND, "Three.", speaker=1),
        Segment(5 * SECOND, 6 * SECOND, "Four."),
        Segment(9 * SECOND, 10 * SECOND, "Five.", speaker=0),
    )
    speakers = (Speaker(0), Speaker(1, "Ann"))
    transcript = Transcript("", "en", 1.0, 12 * SECOND, segments, speakers=speakers)
    gap = Gap(7 * SECOND, 8 * SECOND, UNREACHABLE)
    assert text_with_gaps(transcript, (gap,)).splitlines() == [
        "Speaker 1: One. Two.",
        "Ann: Three.",
        "Four.",
        "[1.0 s missing: server unreachable]",
        "Speaker 1: Five.",
    ]
