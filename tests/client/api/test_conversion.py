"""Transcripts of the API as values of this package."""

import msgspec
import pytest

from auricle.client.api.conversion import recognised, subtitles
from auricle.client.api.results import Transcript
from auricle.text.formats.subtitles import to_srt
from tests.client.api.test_results import GAPS, RECOGNISED, document

pytestmark = pytest.mark.unit


def test_nothing_is_lost_on_the_way_through_the_api() -> None:
    transcript = msgspec.json.decode(document(), type=Transcript)
    assert recognised(transcript) == (RECOGNISED, GAPS)
    expected = to_srt(RECOGNISED.segments, GAPS, speakers=RECOGNISED.speakers)
    assert subtitles(transcript, "srt") == expected
