import base64
import json
from typing import Any

import pytest

from auricle.apis.openai_realtime.wire.config import RealtimeConfig
from auricle.apis.openai_realtime.wire.live import SLICE_CHARACTERS, RealtimeDialect
from auricle.protocol.dialect import Companded, End, Law, Reply, Step
from auricle.values.commands import Discard, Flush, Spare, UpdateConfig
from auricle.values.errors import BadRequest, Draining
from auricle.values.events import (
    AudioProgress,
    Discarded,
    Failed,
    Final,
    Flushed,
    Ready,
    SpeechEnded,
    SpeechStarted,
    Warned,
    WarningCode,
)
from auricle.values.limits import MAX_MESSAGE_CHARACTERS

pytestmark = pytest.mark.unit

READY = Ready("session", "secret", False, False, 0, 0)
AUDIO = bytes(range(256)) * 8


class Line:
    """A dialect with the events that it returns and the steps that it requests."""

    def __init__(self, config: RealtimeConfig | None = None, *, is_beta: bool = False) -> None:
        self.it = RealtimeDialect("s", config or RealtimeConfig(), is_beta=is_beta)

    def say(self, text: str) -> list[Step]:
        return list(self.it.receive_text(text))

    def tell(self, kind: str, **fields: object) -> list[Step]:
        return self.say(json.dumps({"type": kind, **fields}))

    def replies(self, text: str) -> list[dict[str, Any]]:
        (reply,) = self.say(text)
        assert isinstance(reply, Reply)
        return [json.loads(event) for event in reply.texts]

    def error(self, text: str) -> dict[str, Any]:
        (event,) = self.replies(text)
        assert event["type"] == "error"
        found: dict[str, Any] = event["error"]
        return found

    def encode(self, *events: Any) -> list[dict[str, Any]]:
        return [json.loads(text) for event in events for text in self.it.encode(event)]


def append(data: bytes, **fields: object) -> str:
    audio = base64.b64encode(data).decode()
    return json.dumps({"type": "input_audio_buffer.append", "audio": audio, **fields})


def server_events(text: str) -> tuple[SpeechStarted, SpeechEnded, Final]:
    final = Final(1, 1, text, 0, 16_000, "en", None, 1.0, False)
    return SpeechStarted(0), SpeechEnded(16_000), final


# Audio.


def test_audio_is_decoded_and_passed_on() -> None:
    assert Line().say(append(AUDIO, event_id="e1")) == [AUDIO]
    assert Line().say(append(b"")) == []


def test_slashes_may_be_escaped() -> None:
    audio = base64.b64encode(b"\xff" * 300).decode()
    assert "/" in audio
    text = json.dumps({"type": "input_audio_buffer.append", "audio": audio}).replace("/", "\\/")
    assert Line().say(text) == [b"\xff" * 300]


def test_a_large_message_is_decoded_in_slices() -> None:
    data = AUDIO * 100
    steps = Line().say(append(data))
    assert len(steps) == -(-len(data) * 4 // 3 // SLICE_CHARACTERS) > 3
    assert b"".join(step for step in steps if isinstance(step, bytes)) == data


def test_audio_of_a_telephone_is_passed_on_as_such() -> None:
    line = Line()
    line.tell("session.update", session={"audio": {"input": {"format": {"type": "audio/pcma"}}}})
    assert line.say(append(AUDIO)) == [Companded(AUDIO, Law.A)]


@pytest.mark.parametrize("audio", ['"!!!!"', '"AAA"', '"AA=A"', "5", "null", '["AAAA"]', '"ü"'])
def test_invalid_base64_is_reported_and_ignored(audio: str) -> None:
    line = Line()
    event = '{"type": "input_audio_buffer.append", "event_id": "e1", "audio": ' + audio + "}"
    error = line.error(event)
    assert (error["code"], error["param"], error["event_id"]) == ("invalid_value", "audio", "e1")
    assert line.error('{"type": "input_audio_buffer.commit"}')["code"].endswith("commit_empty")


# Commits.


def test_a_commit_flushes_and_an_empty_buffer_has_its_own_code() -> None:
    line = Line()
    commit = json.dumps({"type": "input_audio_buffer.commit", "event_id": "e9"})
    empty = line.error(commit)
    assert (empty["code"], empty["event_id"]) == ("input_audio_buffer_commit_empty", "e9")
    line.say(append(AUDIO))
    assert line.say(commit) == [Flush()]
    assert line.error(commit)["code"] == "input_audio_buffer_commit_empty"
    line.say(append(AUDIO))
    assert line.tell("input_audio_buffer.clear") == [Discard()]
    assert line.error(commit)["code"] == "input_audio_buffer_commit_empty"


# Sessions.


def test_a_session_is_created_and_updated_as_often_as_the_client_likes() -> None:
    line = Line()
    (created,) = line.encode(READY)
    assert created["type"] == "session.created"
    assert created["session"]["type"] == "transcription"
    for language in ("en", "de"):
        session = {"audio": {"input": {"transcription": {"language": language}}}}
        update_command, reply = line.tell("session.update", session=session)
        assert isinstance(update_command, UpdateConfig)
        assert update_command.language == language
        assert isinstance(reply, Reply)
        (updated,) = [json.loads(text) for text in reply.texts]
        assert updated["type"] == "session.updated"
        assert updated["session"]["audio"]["input"]["transcription"]["language"] == language
        assert updated["session"]["id"] == created["session"]["id"]


def test_an_update_that_cannot_be_changes_nothing() -> None:
    line = Line()
    session = {
        "audio": {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"type": 1}}}
    }
    error = line.error(json.dumps({"type": "session.update", "session": session}))
    assert (error["code"], error["param"]) == ("invalid_type", "session")
    assert line.say(append(AUDIO)) == [AUDIO]
    assert line.error('{"type": "session.update"}')["param"] == "session"
    assert line.error('{"type": "session.update", "session": null}')["code"] == "invalid_type"


def test_a_client_of_the_beta_receives_the_events_of_the_beta() -> None:
    line = Line(is_beta=True)
    (created,) = line.encode(READY)
    assert created["type"] == "transcription_session.created"
    _, reply = line.tell(
        "transcription_session.update",
        session={"input_audio_format": "g711_ulaw", "turn_detection": {"type": "server_vad"}},
    )
    assert isinstance(reply, Reply)
    (updated,) = [json.loads(text) for text in reply.texts]
    assert updated["type"] == "transcription_session.updated"
    assert updated["session"]["input_audio_format"] == "g711_ulaw"
    kinds = [event["type"] for event in line.encode(*server_events("words"))]
    assert "conversation.item.created" in kinds
    assert "conversation.item.added" not in kinds
    assert "conversation.item.done" not in kinds


def test_one_that_shows_itself_by_its_update_does_too() -> None:
    line = Line()
    line.tell("transcription_session.update", session={})
    assert "conversation.item.created" in [e["type"] for e in line.encode(*server_events("words"))]


# Events.


def test_every_event_has_its_own_id() -> None:
    line = Line()
    events = line.encode(READY, *server_events("words"), Flushed(16_000, False), Discarded(16_000))
    ids = [event["event_id"] for event in events]
    assert len(set(ids)) == len(ids) > 8
    kinds = [event["type"] for event in events]
    assert kinds[1] == "input_audio_buffer.speech_started"
    assert "conversation.item.input_audio_transcription.completed" in kinds
    assert kinds[-1] == "input_audio_buffer.cleared"


def test_without_turns_nothing_is_reported_of_them() -> None:
    line = Line()
    line.tell("session.update", session={"audio": {"input": {"turn_detection": None}}})
    kinds = [event["type"] for event in line.encode(*server_events("words"))]
    assert kinds == ["conversation.item.input_audio_transcription.delta"]


def test_marks_are_nothing_to_it() -> None:
    assert Line().encode(AudioProgress(10, 0)) == []


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("", "invalid_json", None),
        ('{"more": ' + "[" * 100_000, "invalid_json", None),
        ("[]", "invalid_type", None),
        ('{"type": 5}', "invalid_type", None),
        ("{}", "missing_required_parameter", "type"),
        ('{"type": "input_audio_buffer.append"}', "missing_required_parameter", "audio"),
        ('{"type": "response.create"}', "invalid_value", "type"),
    ],
)
def test_events_that_make_no_sense(text: str, code: str, param: str | None) -> None:
    error = Line().error(text)
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert error["param"] == param


def test_events_without_audio_are_bounded_and_nothing_of_them_is_sent_again() -> None:
    line = Line()
    text = json.dumps({"type": "words", "event_id": "x" * 5000, "y": "z" * MAX_MESSAGE_CHARACTERS})
    (reply,) = line.say(text)
    assert isinstance(reply, Reply)
    (text,) = reply.texts
    assert json.loads(text)["error"]["code"] == "string_above_max_length"
    assert len(text) < 1000


def test_nothing_but_the_audio_of_an_event_may_be_long() -> None:
    line = Line()
    append = {"type": "input_audio_buffer.append", "audio": "AAAA" * MAX_MESSAGE_CHARACTERS}
    assert all(isinstance(step, bytes) for step in line.say(json.dumps(append)))
    (reply,) = line.say(json.dumps(append | {"event_id": "x" * MAX_MESSAGE_CHARACTERS}))
    assert isinstance(reply, Reply)
    (text,) = reply.texts
    assert json.loads(text)["error"]["code"] == "string_above_max_length"


def test_binary_messages_are_answered_with_advice() -> None:
    (reply,) = Line().it.receive_bytes(AUDIO)
    assert isinstance(reply, Reply)
    (text,) = reply.texts
    assert json.loads(text)["error"]["code"] == "invalid_type"


def test_it_closes_with_the_last_messages_and_the_reason() -> None:
    line = Line()
    line.tell("session.update", session={"audio": {"input": {"turn_detection": None}}})
    line.encode(*server_events("words"))
    failed = Failed(Draining.code, "try later", True)
    closing_messages = line.it.closing_messages(End("draining", 1012, failed))
    *_, completed, error = [json.loads(text) for text in closing_messages.texts]
    assert completed["transcript"] == "words"
    assert (error["type"], error["error"]["type"]) == ("error", "server_error")
    assert error["error"]["code"] == "draining"
    assert (closing_messages.close_code, closing_messages.reason) == (1012, "draining")
    (told,) = line.encode(Failed(BadRequest.code, "why", False))
    assert told["error"]["type"] == "invalid_request_error"


# Commits at an interval.

MANUAL = RealtimeConfig(turn_detection=None)
HALF_SECOND = bytes(24_000)
COMMIT = '{"type":"input_audio_buffer.commit"}'


def commits(line: Line, *lengths: int) -> list[Spare]:
    """Commit after audio of some lengths, in half seconds; return what each spares."""
    spared = []
    for length in lengths:
        for _ in range(length):
            line.say(append(HALF_SECOND))
        (flush,) = line.say(COMMIT)
        assert isinstance(flush, Flush)
        spared.append(flush.spares)
    return spared


SPEECH, UTTERANCE, NOTHING = Spare.SPEECH, Spare.UTTERANCE, Spare.NOTHING


def test_a_commit_soon_after_the_last_spares_speech_and_pauses_too_after_as_much_audio() -> None:
    assert commits(Line(MANUAL), 2, 2, 2) == [SPEECH, UTTERANCE, UTTERANCE]
    assert commits(Line(MANUAL), 2, 3, 2, 2, 1) == [SPEECH, SPEECH, SPEECH, UTTERANCE, SPEECH]
    telephone = RealtimeConfig(format="audio/pcmu", rate_hz=8_000, turn_detection=None)
    line = Line(telephone)
    line.say(append(bytes(16_000)))
    line.say(COMMIT)
    line.say(append(bytes(16_000)))
    assert line.say(COMMIT) == [Flush(spares=UTTERANCE)]


def test_longer_audio_is_a_turn() -> None:
    assert commits(Line(MANUAL), 5, 5, 5) == [NOTHING] * 3
    line = Line(MANUAL)
    assert commits(line, 2) == [SPEECH]
    line.tell("input_audio_buffer.clear")
    assert commits(line, 2) == [SPEECH]


def test_with_turn_detection_a_commit_ends_the_turn() -> None:
    assert commits(Line(), 2, 2, 2) == [NOTHING] * 3


@pytest.mark.parametrize("is_beta", [False, True])
def test_warnings_are_a_field_of_the_next_complete_item(is_beta: bool) -> None:
    line = Line(is_beta=is_beta)
    warned = Warned(WarningCode.LANGUAGE_IMPROBABLE, "The speech is in English.")
    final = Final(1, 1, "a", 0, 16_000, "en", None, 300.0, False)
    for is_first in (True, False):
        told = line.encode(SpeechStarted(0), SpeechEnded(16_000))
        told += line.encode(warned, warned) if is_first else []
        (completed,) = [
            event for event in told + line.encode(final) if event["type"].endswith(".completed")
        ]
        assert completed.get("warnings") == ([warned.message] if is_first else None)
