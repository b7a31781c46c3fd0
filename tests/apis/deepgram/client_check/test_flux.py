"""Deepgram Flux as agents use it."""

import json

import pytest

from auricle.apis.deepgram.client_check.flux import FluxScript
from auricle.apis.deepgram.client_check.live import CLOSE_STREAM

pytestmark = pytest.mark.unit


def turn(event: str, text: str = "") -> str:
    return json.dumps({"type": "TurnInfo", "event": event, "transcript": text, "words": []})


def test_the_text_is_that_of_finished_turns() -> None:
    script = FluxScript()
    assert not script.opening()
    assert script.audio(b"pcm") == b"pcm"
    script.receive('{"type": "Connected"}')
    for event, text in (("StartOfTurn", "It"), ("Update", "It was"), ("EndOfTurn", "It was.")):
        script.receive(turn(event, text))
    script.receive(turn("StartOfTurn", "Bright"))
    assert script.ending() == (CLOSE_STREAM,)
    assert not script.is_complete
    script.receive(turn("EndOfTurn", "Bright."))
    assert script.is_complete
    assert script.text == "It was. Bright."


def test_a_stream_without_a_turn_is_not_complete() -> None:
    script = FluxScript()
    script.ending()
    assert not script.is_complete


def test_errors_are_reported() -> None:
    script = FluxScript()
    script.receive('{"type": "Error", "description": "Full."}')
    assert script.failure == "Full."


def test_a_turn_without_words_can_not_be_read() -> None:
    with pytest.raises(ValueError, match="no words"):
        FluxScript().receive('{"type": "TurnInfo", "event": "Update", "transcript": ""}')
