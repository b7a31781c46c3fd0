"""How Bazarr reads responses."""

import pytest

from auricle.apis.asr_webservice.client_check import read_subtitles

pytestmark = pytest.mark.unit


def test_bazarr_reads_subtitles() -> None:
    srt = "1\n00:00:00,000 --> 00:00:01,500\nGood\nday.\n\n2\n00:00:02,000 --> 00:00:03,000\nYes.\n"
    assert read_subtitles(srt.encode()) == "Good day. Yes."
    with pytest.raises(ValueError, match="no subtitles"):
        read_subtitles(b"Good day.")
