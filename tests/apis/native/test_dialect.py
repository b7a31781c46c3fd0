import json

import pytest

from auricle.apis.native.dialect import NativeDialect
from auricle.apis.native.wire.stream import Resume, Start, encode_command
from auricle.protocol.dialect import End
from auricle.values.commands import Configure, Finalize
from auricle.values.errors import BadRequest
from auricle.values.events import Discarded, Failed, Finalized, Flushed, SpeechStarted

pytestmark = pytest.mark.unit


def test_messages_are_one_step_each() -> None:
    assert list(NativeDialect().receive_bytes(b"audio")) == [b"audio"]
    assert list(NativeDialect().receive_text('{"type": "finalize"}')) == [Finalize()]


def test_a_language_is_known_by_its_code() -> None:
    text = encode_command(Configure(language="pt-BR"))
    assert list(NativeDialect().receive_text(text)) == [Configure(language="pt", languages=())]
    with pytest.raises(BadRequest):
        NativeDialect().receive_text(encode_command(Configure(language="klingon")))


@pytest.mark.parametrize("command", [Start(), Resume("session", "secret")])
def test_a_session_starts_once(command: Start | Resume) -> None:
    with pytest.raises(BadRequest):
        NativeDialect().receive_text(encode_command(command))


def test_events_are_reported_as_they_are_and_those_of_other_dialects_are_not() -> None:
    (text,) = NativeDialect().encode(SpeechStarted(16_000))
    assert json.loads(text) == {"type": "speech_started", "at_s": 1.0}
    for event in (Flushed(0, False), Finalized(0), Discarded(0)):
        assert list(NativeDialect().encode(event)) == []


def test_it_parts_with_the_error_and_its_code() -> None:
    assert NativeDialect().closing_messages(End("done", 1000)).texts == ()
    closing_messages = NativeDialect().closing_messages(
        End("queue_full", 1013, Failed("queue_full", "why", True))
    )
    assert json.loads(closing_messages.texts[0])["code"] == "queue_full"
    assert (closing_messages.close_code, closing_messages.reason) == (1013, "queue_full")
