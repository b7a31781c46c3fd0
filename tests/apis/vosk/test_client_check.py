"""Vosk's WebSocket as programs use it."""

import json

import pytest

from auricle.apis.vosk.client_check import (
    EOF,
    JIGASI_CONFIG,
    NEXTCLOUD_CONFIG,
    VoskScript,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("config", [JIGASI_CONFIG, NEXTCLOUD_CONFIG])
def test_the_first_message_sets_the_rate(config: str) -> None:
    [message] = VoskScript(config).opening()
    assert json.loads(message)["config"]["sample_rate"] == 48_000


def test_each_chunk_and_the_end_are_answered() -> None:
    script = VoskScript(JIGASI_CONFIG)
    assert script.audio(b"pcm") == b"pcm"
    script.receive('{"partial": "it"}')
    script.audio(b"pcm")
    script.receive('{"text": "It was.", "result": []}')
    assert not script.is_complete
    script.audio(b"pcm")
    assert script.ending() == (EOF,)
    script.receive('{"partial": ""}')
    assert not script.is_complete
    script.receive('{"text": "Bright."}')
    assert script.is_complete
    assert (script.text, script.failure) == ("It was. Bright.", "")


def test_an_answer_without_text_can_not_be_read() -> None:
    with pytest.raises(ValueError, match="neither"):
        VoskScript(JIGASI_CONFIG).receive('{"result": []}')
