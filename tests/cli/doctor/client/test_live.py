"""The addresses of programs that stream."""

import pytest

from auricle.apis.deepgram.client_check.programs import LIVEKIT, PIPECAT
from auricle.apis.openai_realtime.client_check import JITSI
from auricle.cli.doctor.client.live import stream_url
from auricle.protocol.client_profile import ClientProfile, Stream

pytestmark = pytest.mark.unit


def address(profile: ClientProfile, url: str) -> str:
    assert isinstance(profile.traffic, Stream)
    return stream_url(profile.traffic, url)


def test_a_program_completes_the_url() -> None:
    assert address(LIVEKIT, "https://s/v1/listen").startswith("wss://s/v1/listen?model=nova-3&")
    assert address(PIPECAT, "http://s").startswith("ws://s/v1/listen?detect_entities=false&")


def test_a_url_with_a_query_is_used_as_it_is() -> None:
    url = "ws://s/v1/realtime?intent=transcription"
    assert address(JITSI, url) == url
