"""The addresses of programs that stream."""

import pytest

from auricle.cli.doctor.client.live import stream_url
from auricle.protocol.client_profile import LiveScript, Stream

pytestmark = pytest.mark.unit


def script() -> LiveScript:
    raise AssertionError("an address needs no messages")


def test_a_program_completes_the_url() -> None:
    stream = Stream("/v1/listen", (("model", "nova-3"), ("a", "b c")), 16_000, 20, 1.0, script)
    assert stream_url(stream, "http://s") == "ws://s/v1/listen?model=nova-3&a=b+c"
    assert stream_url(stream, "https://s").startswith("wss://s/v1/listen?")


def test_a_url_with_a_query_is_used_as_it_is() -> None:
    url = "ws://s/v1/realtime?intent=transcription"
    assert stream_url(Stream("", (), 16_000, 20, 1.0, script), url) == url
