"""Query, audio formats and client messages."""

import json

import pytest

from auricle.apis.deepgram.wire.live import parameters_of
from auricle.protocol.dialect import Reply
from auricle.values.commands import Flush, Keepalive, Spare, Stop, UpdateConfig
from auricle.values.errors import AudioError, BadRequest
from auricle.values.events import Failed, SwitchFormat, Wire
from tests.apis.deepgram.wire.live.helpers import LINEAR, dialect, listen, steps, tell

pytestmark = pytest.mark.unit


def test_the_query_becomes_the_parameters_of_a_session() -> None:
    shown = parameters_of(listen(LINEAR + "&language=de&keyterm=Auricle&endpointing=400"))
    assert (shown.format, shown.sample_rate) == (Wire.PCM16, 16_000)
    assert (shown.language, shown.hotwords, shown.endpoint_ms) == ("de", ("Auricle",), 400)
    assert shown.word_timestamps
    assert shown.partials
    assert not parameters_of(listen("encoding=opus")).partials


@pytest.mark.parametrize(
    ("query", "wire", "rate"),
    [
        ("encoding=linear16&sample_rate=48000", Wire.PCM16, 48_000),
        ("encoding=mulaw", Wire.PCM16, 8_000),
        ("encoding=alaw&sample_rate=8000", Wire.PCM16, 8_000),
        ("encoding=opus&sample_rate=48000", Wire.OPUS_MESSAGE, 16_000),
        ("encoding=ogg-opus", Wire.OGG, 16_000),
    ],
)
def test_an_encoding_is_one_of_our_formats(query: str, wire: Wire, rate: int) -> None:
    shown = parameters_of(listen(query))
    assert (shown.format, shown.sample_rate) == (wire, rate)


def test_packets_that_can_not_be_decoded_are_the_end() -> None:
    one = dialect("encoding=opus")
    assert tell(one, SwitchFormat(Wire.PCM16, "why")) == []
    with pytest.raises(AudioError):
        one.receive_bytes(b"audio")


def test_each_message_has_its_command() -> None:
    one = dialect()
    assert steps(one.receive_text('{"type":"KeepAlive"}')) == [Keepalive()]
    assert steps(one.receive_text('{"type":"Finalize","channel":0}')) == [Flush(spares=Spare.ONSET)]
    assert steps(one.receive_text('{"type":"CloseStream"}')) == [Stop()]


def test_an_empty_binary_message_ends_the_stream_as_it_did_of_old() -> None:
    assert steps(dialect().receive_bytes(b"")) == [Stop()]


def test_keyterms_can_be_changed_and_that_is_confirmed() -> None:
    message = '{"type":"Configure","keyterms":["Auricle"],"features":{"numerals":true}}'
    tune, reply = steps(dialect().receive_text(message))
    assert tune == UpdateConfig(hotwords=("Auricle",))
    assert isinstance(reply, Reply)
    (text,) = reply.texts
    assert json.loads(text) == {
        "type": "ConfigureSuccess",
        "request_id": "id",
        "keyterms": ["Auricle"],
    }


def test_a_change_without_keyterms_keeps_them() -> None:
    (reply,) = steps(dialect().receive_text('{"type":"Configure","features":{"numerals":true}}'))
    assert isinstance(reply, Reply)
    (text,) = reply.texts
    assert json.loads(text) == {"type": "ConfigureSuccess", "request_id": "id"}


def test_too_many_keyterms_are_refused_in_words_that_clients_know() -> None:
    message = {"type": "Configure", "keyterms": [f"word{n}" for n in range(501)]}
    (reply,) = steps(dialect().receive_text(json.dumps(message)))
    assert isinstance(reply, Reply)
    (text,) = reply.texts
    messages = json.loads(text)
    assert messages["type"] == "ConfigureFailure"
    assert messages["code"] == "CONFIGURE_KEYTERM_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"type":"Dance"}',
        '{"type":7}',
        '{"type":"Configure","keyterms":"Auricle"}',
        '{"type":"Configure","keyterms":[1]}',
        '{"type":"Configure","features":{"numerals":"maybe"}}',
        '{"type":"KeepAlive"' + " " * 300_000 + "}",
        "[" * 60_000,
    ],
)
def test_an_invalid_message_is_reported(text: str) -> None:
    with pytest.raises(BadRequest):
        dialect().receive_text(text)


def test_such_an_error_is_reported_in_its_own_message() -> None:
    (messages,) = tell(dialect(), Failed("bad_request", "Why.", False))
    assert messages == {"type": "Error", "variant": "SchemaError", "description": "Why."}
