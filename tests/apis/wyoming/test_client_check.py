"""Wyoming as Home Assistant uses it."""

from typing import Any

import pytest

from auricle.apis.wyoming.client_check import DescribeScript, UtteranceScript, wire_event
from auricle.apis.wyoming.wire.framing import EventFramer

pytestmark = pytest.mark.unit

MODEL = {"installed": True, "languages": ["en", "de"]}


def encoded(message: str | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.encode()


def test_events_are_written_as_the_package_writes_them() -> None:
    assert wire_event("describe") == b'{"type": "describe", "version": "1.10.2"}\n'
    framer = EventFramer()
    framer.receive_data(wire_event("audio-chunk", {"rate": 16000}, b"pcm"))
    event = framer.next_event()
    assert event
    assert (event.type, event.data, event.payload) == ("audio-chunk", {"rate": 16000}, b"pcm")


def test_the_services_are_described() -> None:
    script = DescribeScript()
    assert script.opening() == (wire_event("describe"),)
    assert not script.ending()
    info = wire_event("info", {"asr": [{"name": "Auricle", "models": [MODEL]}]})
    script.receive(info[:30])
    assert not script.is_complete
    script.receive(info[30:])
    assert script.is_complete
    assert script.text == "Auricle with 2 languages"
    assert script.failure == ""


def test_a_server_without_speech_to_text() -> None:
    script = DescribeScript()
    script.receive(wire_event("info", {"tts": [{}]}))
    assert script.failure == "it offers no speech to text"


@pytest.mark.parametrize("asr", [{}, {"name": "x", "models": [{}]}, {"name": "x", "models": 1}])
def test_an_incomplete_description(asr: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="incomplete"):
        DescribeScript().receive(wire_event("info", {"asr": [asr]}))


def test_a_command_ends_with_its_transcript() -> None:
    script = UtteranceScript()
    [transcribe, start] = script.opening()
    assert b'"transcribe"' in encoded(transcribe)
    assert b'"audio-start"' in encoded(start)
    assert encoded(script.audio(b"pcm")).endswith(b"pcm")
    assert b'"audio-stop"' in encoded(script.ending()[0])
    script.receive(wire_event("transcript-chunk", {"text": "It"}))
    assert not script.is_complete
    script.receive(wire_event("transcript", {"text": "It was."}))
    assert script.is_complete
    assert script.text == "It was."


def test_errors_are_reported() -> None:
    script = UtteranceScript()
    script.receive(wire_event("error", {"text": "Full.", "code": "queue_full"}))
    assert script.failure == "Full."
    with pytest.raises(ValueError, match="not Wyoming"):
        script.receive(b"HTTP/1.1 400 Bad Request\r\n")
