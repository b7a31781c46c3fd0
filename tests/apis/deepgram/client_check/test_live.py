"""Deepgram's live API as agents use it."""

import json
from typing import Any

import pytest

from auricle.apis.deepgram.client_check.live import (
    CLOSE_STREAM,
    FINALIZE,
    KEEP_ALIVE,
    DeepgramScript,
)
from auricle.apis.deepgram.client_check.programs import LIVEKIT, PIPECAT
from auricle.cli.doctor.client.failure import reported_error
from auricle.cli.doctor.client.live import stream_url
from auricle.protocol.client_profile import ClientProfile, Stream

pytestmark = pytest.mark.unit


def result(text: str, **flags: bool) -> str:
    channel = {"alternatives": [{"transcript": text}]}
    return json.dumps({"type": "Results", "channel": channel, **flags})


def test_livekit_waits_for_the_end_of_the_stream() -> None:
    script = DeepgramScript((KEEP_ALIVE,), closes=True)
    assert script.opening() == (KEEP_ALIVE,)
    assert script.audio(b"pcm") == b"pcm"
    assert script.ending() == (FINALIZE, CLOSE_STREAM)
    script.receive(result("it was", is_final=False))
    script.receive(result("It was a", is_final=True))
    script.receive(result("bright morning.", is_final=True, from_finalize=True))
    assert not script.is_complete
    script.receive('{"type": "Metadata"}')
    assert script.is_complete
    assert script.text == "It was a bright morning."


def test_pipecat_waits_for_the_result_that_it_requested() -> None:
    script = DeepgramScript((), closes=False)
    assert script.ending() == (FINALIZE,)
    script.receive('{"type": "Metadata"}')
    script.receive(result("It was.", is_final=True))
    assert not script.is_complete
    script.receive(result("", is_final=True, from_finalize=True))
    assert script.is_complete
    assert script.text == "It was."


@pytest.mark.parametrize("channel", [{}, {"alternatives": []}, None])
def test_a_result_without_a_transcript_can_not_be_read(channel: Any) -> None:
    message = json.dumps({"type": "Results", "channel": channel})
    with pytest.raises(ValueError, match="no transcript"):
        DeepgramScript((), closes=False).receive(message)


def test_errors_are_reported() -> None:
    script = DeepgramScript((), closes=False)
    script.receive('{"type": "SpeechStarted"}')
    assert script.failure == ""
    script.receive('{"type": "Error", "description": "No such thing."}')
    assert script.failure == "No such thing."


def address(profile: ClientProfile, url: str) -> str:
    assert isinstance(profile.traffic, Stream)
    return stream_url(profile.traffic, url)


def test_agents_complete_the_url() -> None:
    assert address(LIVEKIT, "https://s/v1/listen").startswith("wss://s/v1/listen?model=nova-3&")
    assert address(PIPECAT, "http://s").startswith("ws://s/v1/listen?detect_entities=false&")


def test_errors_have_deepgram_s_fields() -> None:
    assert reported_error(PIPECAT, b'{"err_code": "a", "err_msg": "b"}') == ("a", "b")
