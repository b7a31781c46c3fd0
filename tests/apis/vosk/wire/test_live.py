"""What each program sends is replayed as its source has it."""

import json
from collections.abc import Iterable
from struct import pack
from typing import Any

import pytest

from auricle.apis.vosk.wire.live import VoskDialect
from auricle.apis.vosk.wire.options import VoskOptions
from auricle.protocol.dialect import End, Reply, Step
from auricle.protocol.ignored import MAX_WARNINGS
from auricle.server.live.connection_end import failed_of
from auricle.values.commands import Flush, Stop, UpdateConfig
from auricle.values.errors import BadRequest, Overloaded, UnsupportedFormat
from auricle.values.events import (
    Closed,
    Failed,
    Final,
    Finalized,
    Flushed,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Warned,
    WarningCode,
)
from auricle.values.limits import MAX_MESSAGE_CHARACTERS

pytestmark = pytest.mark.unit

EOF = '{"eof" : 1}'  # with these spaces: vosk-server compares the text
CLOSED = Closed("stop", 0, 0, 0, 0)


def changed(**changes: Any) -> UpdateConfig:
    fields: dict[str, Any] = {
        "sample_rate": 8_000,
        "model": "",
        "language": None,
        "strict_language": False,
        "hotwords": (),
    }
    return UpdateConfig(**(fields | changes))


def dialect(**options: Any) -> VoskDialect:
    return VoskDialect(VoskOptions(**options))


def partial(text: str, utterance: int = 1) -> Partial:
    return Partial(utterance, "", text, 0, 16_000)


def final(text: str, utterance: int = 1, error: str | None = None) -> Final:
    return Final(utterance, utterance, text, 0, 16_000, "en", None, 0.0, False, error)


def sent(steps: Iterable[Step]) -> list[Any]:
    """Carry the steps out: replies as JSON, all else unchanged."""
    done: list[Any] = []
    for step in steps:
        done += [json.loads(text) for text in step.texts] if isinstance(step, Reply) else [step]
    return done


def encoded(one: VoskDialect, *events: Any) -> list[Any]:
    return [json.loads(text) for event in events for text in one.encode(event)]


# Chunks and their answers.


def test_each_chunk_has_one_answer() -> None:
    one = dialect()
    assert sent(one.receive_bytes(b"\1\0")) == [b"\1\0", {"partial": ""}]
    assert encoded(one, SpeechStarted(0), partial("he"), partial("hello")) == []
    assert sent(one.receive_bytes(b"\2\0")) == [b"\2\0", {"partial": "hello"}]
    assert sent(one.receive_bytes(b"")) == [{"partial": "hello"}]
    assert encoded(one, SpeechEnded(8_000), final("Hello.")) == []
    _, answer = sent(one.receive_bytes(b"\3\0"))
    assert answer["text"] == "Hello."
    assert "partial" not in answer  # Jigasi takes an answer with it for a partial
    assert sent(one.receive_bytes(b"\4\0")) == [b"\4\0", {"partial": ""}]


def test_an_answer_is_made_when_its_turn_comes() -> None:
    one = dialect()
    _, reply = one.receive_bytes(b"\1\0")
    encoded(one, partial("hello"), final("Hello."))
    assert isinstance(reply, Reply)
    assert json.loads(next(iter(reply.texts)))["text"] == "Hello."


def test_text_does_not_vanish_between_a_partial_and_its_final() -> None:
    one = dialect()
    encoded(one, partial("One two"), SpeechEnded(8_000), SpeechStarted(9_000), partial("three", 2))
    assert sent(one.receive_text("?")) == [{"partial": "One two three"}]
    encoded(one, final("One, two."))
    assert sent(one.receive_text("?"))[0]["text"] == "One, two."
    assert sent(one.receive_text("?")) == [{"partial": "three"}]


def test_the_answer_to_the_end_has_all_that_was_not_sent() -> None:
    one = dialect()
    assert sent(one.receive_text(EOF)) == [Stop()]
    encoded(one, final("One."), final(""), final("Two.", 3))
    [answer] = encoded(one, CLOSED)
    assert answer["text"] == "One. Two."
    assert one.closing_messages(End("done", 1000)).texts == ()


def test_an_end_without_speech_has_an_answer_too() -> None:
    assert encoded(dialect(), CLOSED) == [{"text": ""}]


def test_a_reset_ends_the_utterance_and_its_answer_is_the_final() -> None:
    one = dialect()
    assert sent(one.receive_text('{"reset" : 1}')) == [Flush()]
    assert encoded(one, Flushed(16_000, True), final("Hello.")) == []
    [answer] = encoded(one, Finalized(16_000))
    assert answer["text"] == "Hello."


@pytest.mark.parametrize("text", ["", "EOS", "{", "[]", "null", "1", '{"eof":0}', '{"type":"x"}'])
def test_text_that_is_not_understood_is_answered_as_a_chunk(text: str) -> None:
    assert sent(dialect().receive_text(text)) == [{"partial": ""}]


# Options.


def test_the_samples_of_vosk_server() -> None:
    one = dialect()
    assert sent(one.receive_text('{ "config" : { "sample_rate" : 16000 } }')) == [
        changed(sample_rate=16_000)
    ]
    words = """{"config" :
                    { "phrase_list" : ["zero one two three four five", "six seven eight nine oh"],
                      "sample_rate" : 8000,
                      "words" : 0}}"""
    phrases = ("zero one two three four five", "six seven eight nine oh")
    assert sent(one.receive_text(words)) == [changed(hotwords=phrases)]
    encoded(one, final("Hello."))
    assert sent(one.receive_bytes(b"\1\0"))[-1] == {"text": "Hello."}
    alternatives = '{"config" : { "max_alternatives" : 20, "sample_rate" : 8000 } }'
    assert sent(one.receive_text(alternatives)) == []
    assert encoded(one, CLOSED) == [{"alternatives": [{"confidence": 1.0, "text": ""}]}]


def test_bigbluebutton_writes_the_rate_as_text() -> None:
    config = '{"config":{"sample_rate":"16000"}}'
    assert sent(dialect().receive_text(config)) == [changed(sample_rate=16_000)]
    assert sent(dialect().receive_text('{"eof":1}')) == [Stop()]


def test_jigasi_sends_no_language() -> None:
    config = '{"config" : {"sample_rate" : 48000.0 }}'
    assert sent(dialect().receive_text(config)) == [changed(sample_rate=48_000)]


def test_asterisk_and_freeswitch_send_audio_at_once_with_8_khz() -> None:
    chunk = bytes(3200)
    assert VoskOptions().parameters().sample_rate == 8_000
    assert sent(dialect().receive_bytes(chunk)) == [chunk, {"partial": ""}]


def test_nextcloud_waits_for_the_answer_to_a_change_of_language() -> None:
    one = dialect()
    first = '{"config": {"sample_rate": 48000, "language": "en"}}'
    assert sent(one.receive_text(first)) == [
        changed(sample_rate=48_000),
        changed(sample_rate=48_000, language="en"),
    ]
    one.receive_bytes(bytes(38_400))
    change = '{"config": {"language": "de"}}'
    assert sent(one.receive_text(change)) == [
        changed(sample_rate=48_000, language="de"),
        {"success": True},
    ]
    assert sent(one.receive_text(change)) == [{"success": True}]


@pytest.mark.parametrize("language", ['"xx"', "7", "[]"])
def test_a_change_to_an_unknown_language_fails(language: str) -> None:
    one = dialect()
    sent(one.receive_bytes(b"\1\0"))
    with pytest.raises(BadRequest) as caught:
        sent(one.receive_text(f'{{"config": {{"language": {language}}}}}'))
    assert encoded(one, failed_of(caught.value)) == [{"success": False}]
    assert sent(one.receive_bytes(b"\1\0")) == [b"\1\0", {"partial": ""}]


def test_a_language_that_the_session_rejects_keeps_the_old_one() -> None:
    one = dialect(language="en")
    sent(one.receive_bytes(b"\1\0"))
    steps = one.receive_text('{"config": {"language": "de"}}')
    assert next(steps) == changed(language="de")  # raises in the session, so there is no next step
    assert encoded(one, Failed("bad_request", "No German.", False)) == [{"success": False}]
    assert sent(one.receive_text('{"config": {"language": "en"}}')) == [{"success": True}]


def test_a_first_message_with_an_unknown_language_still_sets_the_rate() -> None:
    one = dialect()
    steps = one.receive_text('{"config": {"sample_rate": 48000, "language": "xx"}}')
    assert next(steps) == changed(sample_rate=48_000)
    with pytest.raises(BadRequest) as caught:
        next(steps)
    assert encoded(one, failed_of(caught.value)) == []
    _, answer = sent(one.receive_bytes(b"\1\0"))
    assert answer["partial"] == ""
    assert "Unsupported language" in answer["warnings"][0]


def test_a_wav_file_that_is_sent_with_its_header_sets_the_rate() -> None:
    head = (
        b"RIFF" + pack("<I", 100) + b"WAVEfmt " + pack("<IHHIIHH", 16, 1, 1, 44_100, 88_200, 2, 16)
    )
    wav = head + b"data" + pack("<I", 2) + b"\1\0"
    assert sent(dialect().receive_bytes(wav))[0] == changed(sample_rate=44_100)
    configured = dialect()
    sent(configured.receive_text('{"config": {"sample_rate": 8000}}'))
    assert sent(configured.receive_bytes(wav)) == [wav, {"partial": ""}]
    for broken in (b"RIFF", b"RIFFxxxxWAVE" + b"data" * 4):
        assert sent(dialect().receive_bytes(broken))[0] == broken


# What goes wrong.


def test_what_has_no_effect_is_reported_with_the_next_answer() -> None:
    one = VoskDialect(VoskOptions(), ["From the URL."])
    sent(one.receive_text('{"config": {"spk": 1}}'))
    encoded(one, Warned(WarningCode.AUDIO_GAP, "A gap."), final("", error="poison_job"))
    assert sent(one.receive_text("?")) == [
        {
            "partial": "",
            "warnings": [
                "From the URL.",
                "spk is not supported and has no effect.",
                "A gap.",
                "An utterance was not transcribed (poison_job).",
            ],
        }
    ]
    assert sent(one.receive_text("?")) == [{"partial": ""}]


def test_warnings_that_wait_are_limited() -> None:
    one = dialect()
    for number in range(MAX_WARNINGS + 5):
        encoded(one, Warned(WarningCode.SLOW, str(number)))
    assert sent(one.receive_text("?"))[0]["warnings"] == [str(n + 5) for n in range(MAX_WARNINGS)]


def test_a_rate_that_can_t_be_used_ends_the_connection() -> None:
    with pytest.raises(UnsupportedFormat):
        sent(dialect().receive_text('{"config": {"sample_rate": 0}}'))


def test_a_message_that_is_too_long_is_not_parsed() -> None:
    with pytest.raises(BadRequest):
        sent(dialect().receive_text(" " * (MAX_MESSAGE_CHARACTERS + 1)))


def test_a_connection_that_the_server_ends_gets_its_text_and_the_reason() -> None:
    one = dialect()
    encoded(one, final("Hello."))
    failed = failed_of(Overloaded("ö" * 100, 5))
    last = one.closing_messages(End("queue_full", 1013, failed))
    assert [json.loads(text)["text"] for text in last.texts] == ["Hello."]
    assert last.close_code == 1013
    assert last.reason.startswith("queue_full: ö")
    assert len(last.reason.encode()) <= 123
    assert dialect().closing_messages(End("done", 1000)).reason == ""
