"""Options and formats that change within a session."""

import msgspec
import pytest

from auricle.apis.native.wire.stream import parse_query
from auricle.client.conversation import Conversation
from auricle.values.commands import Configure, StreamParameters
from auricle.values.events import SwitchFormat, Wire
from auricle.values.types import OpusPacket, Task
from tests.client.conversation.helpers import commands, forgotten, messages, opened, ready, speech

pytestmark = pytest.mark.unit


def test_a_change_is_reported_at_once_and_again_after_a_return() -> None:
    talk = opened()
    talk.configure(Configure(language="fr"))
    [command] = commands(talk)
    assert isinstance(command, Configure)
    assert (command.language, command.endpoint_ms, command.format) == (
        "fr",
        msgspec.UNSET,
        Wire.PCM16,
    )
    talk.disconnected()
    talk.connected()
    talk.receive_event(ready(0, resumed=True))
    assert commands(talk) == [command]


def test_a_change_holds_for_a_new_session_too() -> None:
    talk = opened(language="en")
    talk.receive_pcm(speech(1))
    list(messages(talk))
    talk.configure(Configure(language=None, endpoint_ms=900))
    forgotten(talk, 0)
    assert parse_query(talk.query()).endpoint_ms == 900
    assert "language" not in talk.query()


def test_words_to_expect_and_the_task_can_be_changed() -> None:
    talk = opened()
    talk.configure(Configure(task=Task.TRANSLATE, hotwords=("Auricle",)))
    [command] = commands(talk)
    assert isinstance(command, Configure)
    assert (command.task, command.hotwords) == (Task.TRANSLATE, ("Auricle",))


def test_the_format_is_not_the_applications_to_change() -> None:
    talk = Conversation(StreamParameters(), lambda pcm: OpusPacket(b"x"))
    talk.connected()
    talk.receive_event(ready())
    talk.configure(Configure(format=Wire.OGG, sample_rate=48_000, language="fr"))
    [command] = commands(talk)
    assert isinstance(command, Configure)
    assert (command.format, command.sample_rate) == (msgspec.UNSET, msgspec.UNSET)
    assert parse_query(talk.query()).format is Wire.OPUS


def test_pcm_follows_once_the_server_asks_for_it() -> None:
    talk = Conversation(StreamParameters(), lambda pcm: OpusPacket(b"x"))
    talk.connected()
    talk.receive_event(ready())
    talk.receive_pcm(speech(0.04))
    assert talk.next_message() == b"\x01\x00x\x00\x00\x00\x00\x01\x00x\x01\x00\x00\x00"
    assert talk.receive_event(SwitchFormat(Wire.PCM16, "why")) == []
    talk.receive_pcm(speech(0.02))
    command, span = messages(talk)
    assert isinstance(command, Configure)
    assert command.format is Wire.PCM16
    assert span == (640, 960)


def test_another_format_than_pcm_is_not_what_it_can_send() -> None:
    talk = Conversation(StreamParameters(), lambda pcm: OpusPacket(b"x"))
    talk.connected()
    talk.receive_event(ready())
    talk.receive_event(SwitchFormat(Wire.WEBM, "why"))
    assert commands(talk) == []


def test_a_model_is_part_of_each_session_and_can_be_changed() -> None:
    talk = Conversation(StreamParameters(model="whisper-base"), None)
    assert '"model":"whisper-base"' in talk.connected()
    talk.receive_event(ready())
    talk.configure(Configure(model="tiny"))
    [command] = commands(talk)
    assert isinstance(command, Configure)
    assert command.model == "tiny"
    assert parse_query(talk.query()).model == "tiny"
    talk.configure(Configure(model=""))  # the server's default
    assert [each.model for each in commands(talk) if isinstance(each, Configure)] == [""]
    assert "model" not in talk.query()


def test_candidate_languages_are_part_of_the_query() -> None:
    talk = opened(languages=("de", "en"))
    assert parse_query(talk.query()).languages == ("de", "en")
