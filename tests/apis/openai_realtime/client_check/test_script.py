"""OpenAI's Realtime API as programs use it."""

import json

import pytest

from auricle.apis.openai_realtime.client_check.programs import (
    CLIENTS,
    JITSI_SESSION,
    TYPEWHISPER_SESSION,
)
from auricle.apis.openai_realtime.client_check.script import (
    COMMIT_EMPTY,
    TRANSCRIPTION,
    RealtimeScript,
)
from auricle.apis.openai_realtime.wire.config import RealtimeConfig
from auricle.apis.openai_realtime.wire.live import RealtimeDialect
from auricle.protocol.client_profile import ClientProfile, Stream
from auricle.protocol.dialect import Reply
from auricle.values.commands import UpdateConfig

pytestmark = pytest.mark.unit


def message(type: str, **fields: object) -> str:
    return json.dumps({"type": type, **fields})


def jitsi() -> RealtimeScript:
    return RealtimeScript(JITSI_SESSION, may_be_empty=True)


COMMITTED = message("input_audio_buffer.committed", item_id="1")
COMPLETED = message(f"{TRANSCRIPTION}.completed", item_id="1", transcript="It was.")
EMPTY = message("error", error={"code": COMMIT_EMPTY, "message": "Nothing to commit."})


def test_the_session_has_the_proxy_s_options() -> None:
    [update] = jitsi().opening()
    session = json.loads(update)["session"]
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert json.loads(jitsi().audio(b"ab")) == {
        "type": "input_audio_buffer.append",
        "audio": "YWI=",
    }


def test_a_stream_ends_with_the_text_of_all_items() -> None:
    script = jitsi()
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
    script = jitsi()
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
    script = jitsi()
    script.receive(message(type, item_id="1", error={"code": "full", "message": "Full."}))
    assert script.failure == "Full."
    script.receive(message(type, item_id="1"))
    assert script.failure == "an error without a message"


def test_a_dictation_program_gives_up_after_a_commit_without_audio() -> None:
    script = RealtimeScript(TYPEWHISPER_SESSION)
    script.ending()
    script.receive(EMPTY)
    assert script.failure == "Nothing to commit."


@pytest.mark.parametrize("profile", CLIENTS, ids=lambda profile: profile.name)
def test_the_server_accepts_each_session(profile: ClientProfile) -> None:
    assert isinstance(profile.traffic, Stream)
    [update] = profile.traffic.script().opening()
    dialect = RealtimeDialect("1", RealtimeConfig())
    command, reply = dialect.receive_text(str(update))
    assert isinstance(command, UpdateConfig)
    assert command.sample_rate == profile.traffic.rate_hz
    assert isinstance(reply, Reply)
    assert '"session.updated"' in str(reply)
