"""RTTM: one line for each turn."""

import pytest

from auricle.text.formats.rttm import MAX_PAUSE_SAMPLES, to_rttm
from auricle.values.types import SAMPLE_RATE_HZ, Segment, Speaker

pytestmark = pytest.mark.unit

SECOND = SAMPLE_RATE_HZ


def test_each_turn_has_its_start_its_duration_and_its_speaker() -> None:
    segments = [
        Segment(5 * SECOND, 7 * SECOND, "c", speaker=1),
        Segment(0, SECOND, "a", speaker=0),
        Segment(SECOND + MAX_PAUSE_SAMPLES - 1, 2 * SECOND, "b", speaker=0),
        Segment(2 * SECOND + MAX_PAUSE_SAMPLES, 3 * SECOND, "b", speaker=0),
        Segment(8 * SECOND, 9 * SECOND, "unknown"),
        Segment(9 * SECOND, 9 * SECOND, "empty", speaker=0),
    ]
    speakers = [Speaker(0), Speaker(1, "Ann Lee")]
    assert to_rttm(segments, speakers, "a call.wav").splitlines() == [
        "SPEAKER a_call.wav 1 0.000 2.000 <NA> <NA> Speaker_1 <NA> <NA>",
        "SPEAKER a_call.wav 1 2.250 0.750 <NA> <NA> Speaker_1 <NA> <NA>",
        "SPEAKER a_call.wav 1 5.000 2.000 <NA> <NA> Ann_Lee <NA> <NA>",
    ]


def test_a_transcript_without_speakers_has_no_lines() -> None:
    assert to_rttm([Segment(0, SECOND, "a")], (), "a") == ""
