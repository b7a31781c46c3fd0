"""OpenAI's Realtime API as Jitsi's proxy uses it."""

import json

import pytest

from auricle.apis.openai_realtime.client_check import COMMIT_EMPTY, TRANSCRIPTION, RealtimeScript

pytestmark = pytest.mark.unit


def message(type: str, **fields: object) -> str:
    return json.dumps({"type": type, **fields})


COMMITTED = message("input_audio_buffer.committed", item_id="1")
COMPLETED = message(f"{TRANSCRIPTION}.completed", item_id="1", transcript="It was.")
EMPTY = message("error", error={"code": COMMIT_EMPTY, "message": "Nothing to commit."})


def test_the_session_has_the_proxy_s_options() -> None:
    [update] = RealtimeScript().opening()
    session = json.loads(update)["session"]
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert json.loads(RealtimeScript().audio(b"ab")) == {
        "type": "input_audio_buffer.append",
        "audio": "YWI=",
    }


def test_a_stream_ends_with_the_text_of_all_items() -> None:
    script = RealtimeScript()
    script.receive(COMMITTED)
    assert not script.is_complete
    assert script.ending() == ('{"type": "input_audio_buffer.commit"}',)
    script.receive(EMPTY)
    assert not script.is_complete
    script.receive(COMPLETED)
    assert script.is_complete
    assert script.text == "It was."
    assert script.failure == ""


def test_the_last_commit_may_make_an_item_without_text() -> None:
    script = RealtimeScript()
    script.receive(COMMITTED)
    script.receive(COMPLETED)
    script.ending()
    assert not script.is_complete
    script.receive(message("input_audio_buffer.committed", item_id="2"))
    assert not script.is_complete
    script.receive(message(f"{TRANSCRIPTION}.completed", item_id="2", transcript=""))
    assert script.is_complete
    assert script.text == "It was."


@pytest.mark.parametrize("type", ["error", f"{TRANSCRIPTION}.failed"])
def test_any_other_error_ends_the_proxy_s_stream(type: str) -> None:
    script = RealtimeScript()
    script.receive(message(type, item_id="1", error={"code": "full", "message": "Full."}))
    assert script.failure == "Full."
    script.receive(message(type, item_id="1"))
    assert script.failure == "an error without a message"
