"""The requests of programs, byte for byte."""

import re

import pytest

from auricle.apis.openai.client_check import LIBRECHAT, OPEN_WEBUI, VEXA
from auricle.cli.doctor.client.catalogue import clients
from auricle.cli.doctor.client.transport import key_headers
from auricle.cli.doctor.client.upload import build_request, encode_form
from auricle.protocol.client_profile import ClientProfile, Upload

pytestmark = pytest.mark.unit

UPLOADS = [p for p in clients().values() if isinstance(p.traffic, Upload)]

VEXA_BODY = b"""\
--B\r
Content-Disposition: form-data; name="file"; filename="audio.wav"\r
Content-Type: audio/wav\r
\r
speech\r
--B\r
Content-Disposition: form-data; name="model"\r
\r
whisper-1\r
--B\r
Content-Disposition: form-data; name="response_format"\r
\r
verbose_json\r
--B\r
Content-Disposition: form-data; name="timestamp_granularities"\r
\r
word\r
--B--\r
"""


def test_the_form_is_the_program_s() -> None:
    assert isinstance(VEXA.traffic, Upload)
    assert encode_form(VEXA.traffic.form, b"speech", "B") == VEXA_BODY
    headers = key_headers(VEXA.key, "secret")
    request = build_request("POST", "http://server/x", VEXA.traffic.form, b"speech", headers)
    boundary = re.fullmatch("multipart/form-data; boundary=(.*)", request.headers["content-type"])
    assert boundary
    assert request.read().replace(boundary[1].encode(), b"B") == VEXA_BODY
    assert request.headers["authorization"] == "Bearer secret"


def test_parts_may_have_a_type_before_their_name() -> None:
    assert isinstance(OPEN_WEBUI.traffic, Upload)
    assert encode_form(OPEN_WEBUI.traffic.form, b"pcm", "B") == (
        b"--B\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b'Content-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b"--B\r\nContent-Type: application/octet-stream\r\n"
        b'Content-Disposition: form-data; name="file"; filename="speech.wav"\r\n\r\n'
        b"pcm\r\n--B--\r\n"
    )


@pytest.mark.parametrize("profile", UPLOADS, ids=lambda profile: profile.name)
def test_a_body_is_sent_with_its_length_or_in_chunks(profile: ClientProfile) -> None:
    traffic = profile.traffic
    assert isinstance(traffic, Upload)
    request = build_request("POST", "http://server/x", traffic.form, b"\0speech" * 50_000, {})
    is_chunked = profile in (LIBRECHAT, OPEN_WEBUI)
    assert ("content-length" in request.headers) is not is_chunked
    assert request.read().count(b"\0speech") == 50_000
