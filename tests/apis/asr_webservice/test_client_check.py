"""Bazarr's requests, and how it reads responses."""

import pytest

from auricle.apis.asr_webservice.client_check import BAZARR, read_subtitles
from auricle.cli.doctor.client.failure import refusal, reported_error, unreachable
from auricle.cli.doctor.client.upload import encode_form
from auricle.protocol.client_profile import Upload

pytestmark = pytest.mark.unit


def test_bazarr_reads_subtitles() -> None:
    srt = "1\n00:00:00,000 --> 00:00:01,500\nGood\nday.\n\n2\n00:00:02,000 --> 00:00:03,000\nYes.\n"
    assert read_subtitles(srt.encode()) == "Good day. Yes."
    with pytest.raises(ValueError, match="no subtitles"):
        read_subtitles(b"Good day.")


def test_a_password_in_the_url_is_corrected_and_not_shown() -> None:
    found = refusal(BAZARR, "http://:secret@server:6007", "POST", 401, b"")
    assert found.advice == "Enter the URL http://:KEY@server:6007 with a key."
    found = refusal(BAZARR, "http://:secret@server:6007", "POST", 404, b"")
    assert "AURICLE_ASR_WEBSERVICE=1 auricle serve" in found.advice
    assert "secret" not in str(unreachable(BAZARR, "http://:secret@server:6007", OSError()))


def test_a_file_may_have_no_type() -> None:
    assert isinstance(BAZARR.traffic, Upload)
    assert encode_form(BAZARR.traffic.form, b"pcm", "B") == (
        b'--B\r\nContent-Disposition: form-data; name="audio_file"; filename="audio_file"\r\n\r\n'
        b"pcm\r\n--B--\r\n"
    )


def test_errors_have_a_detail() -> None:
    assert reported_error(BAZARR, b'{"code": "a", "detail": "b"}') == ("a", "b")
