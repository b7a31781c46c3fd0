import hashlib
import json
from collections.abc import Iterable
from struct import pack
from urllib.parse import parse_qsl

import pytest

from auricle.commands import Configure, Flush, Keepalive, Stop, UpdateConfig
from auricle.errors import AudioError, BadRequest
from auricle.events import (
    AudioProgress,
    Closed,
    Failed,
    Final,
    Finalized,
    Flushed,
    Partial,
    Ready,
    SessionEvent,
    SpeechEnded,
    SpeechStarted,
    SwitchFormat,
    Wire,
)
from auricle.protocol.deepgram.live import DeepgramDialect, parameters_of
from auricle.protocol.deepgram.query import Listen, parse_listen
from auricle.protocol.deepgram.results import Json, Model
from auricle.protocol.dialect import Companded, End, Law, Reply, Step
from auricle.types import Word

pytestmark = pytest.mark.unit

LINEAR = "encoding=linear16&sample_rate=16000&punctuate=true&interim_results=true"


def listen(query: str = LINEAR) -> Listen:
    return parse_listen(parse_qsl(query))


def dialect(query: str = LINEAR) -> DeepgramDialect:
    return DeepgramDialect(
        listen(query), request_id="id", created="2026-11-25T12:00:00.000Z", model=Model("base", "1")
    )


def tell(one: DeepgramDialect, *events: SessionEvent) -> list[Json]:
    return [json.loads(text) for event in events for text in one.encode(event)]


def steps(shown: Iterable[Step]) -> list[Step]:
    return list(shown)


def final(number: int, text: str = "And so.", start: int = 0, end: int = 32_000) -> Final:
    words = tuple(
        Word(start + 8_000 * n, start + 8_000 * (n + 1), f" {word}", 0.9)
        for n, word in enumerate(text.split())
    )
    return Final(number, number, text, start, end, "en", words, 100.0, False)


def ended(started: int, end: int) -> tuple[SpeechStarted, SpeechEnded]:
    return SpeechStarted(started), SpeechEnded(end)


# Stream parameters.


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


# Audio.


def test_samples_and_packets_are_passed_on_as_they_are() -> None:
    for query in (LINEAR, "encoding=opus", "encoding=ogg-opus"):
        assert steps(dialect(query).receive_bytes(b"audio")) == [b"audio"]


@pytest.mark.parametrize(("encoding", "law"), [("mulaw", Law.MU), ("alaw", Law.A)])
def test_telephone_audio_is_named_as_such(encoding: str, law: Law) -> None:
    shown = steps(dialect(f"encoding={encoding}").receive_bytes(b"audio"))
    assert shown == [Companded(b"audio", law)]


@pytest.mark.parametrize(
    ("head", "wire"),
    [(b"OggS" + bytes(20), Wire.OGG), (b"\x1a\x45\xdf\xa3" + bytes(20), Wire.WEBM)],
)
def test_a_container_says_itself_what_it_is_however_it_is_split(head: bytes, wire: Wire) -> None:
    for size in range(1, len(head)):
        one = dialect("")
        first, second = head[:size], head[size:]
        shown = steps(one.receive_bytes(first)) + steps(one.receive_bytes(second))
        assert shown[0] == Configure(format=wire)
        assert b"".join(step for step in shown if isinstance(step, bytes)) == head
        assert steps(one.receive_bytes(b"more")) == [b"more"]


def wav(code: int = 1, channels: int = 1, rate: int = 24_000, bits: int = 16) -> bytes:
    form = pack("<HHIIHH", code, channels, rate, rate * 2, 2, bits)
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + form + b"data\0\0\0\0"


def test_a_live_wav_is_followed_without_its_header() -> None:
    one, head = dialect(""), wav()
    assert steps(one.receive_bytes(head[:30])) == []
    assert steps(one.receive_bytes(head[30:] + b"samples")) == [
        Configure(format=Wire.PCM16, sample_rate=24_000),
        b"samples",
    ]
    assert steps(one.receive_bytes(b"more")) == [b"more"]


def test_one_of_a_telephone_is_too() -> None:
    shown = steps(dialect("").receive_bytes(wav(7, rate=8_000, bits=8) + b"samples"))
    assert shown[-1] == Companded(b"samples", Law.MU)


@pytest.mark.parametrize(
    "head",
    [
        b"not audio at all",
        b"fLaC" + bytes(20),
        b"ID3" + bytes(20),
        bytes(3200),
        wav(code=3, bits=32),
        wav(channels=2),
        wav(rate=1000),
        wav(bits=8),
        wav(code=7),
    ],
)
def test_what_can_not_be_followed_is_refused(head: bytes) -> None:
    with pytest.raises(AudioError):
        steps(dialect("").receive_bytes(head))


def test_packets_that_can_not_be_decoded_are_the_end() -> None:
    one = dialect("encoding=opus")
    assert tell(one, SwitchFormat(Wire.PCM16, "why")) == []
    with pytest.raises(AudioError):
        one.receive_bytes(b"audio")


# Messages.


def test_each_message_has_its_command() -> None:
    one = dialect()
    assert steps(one.receive_text('{"type":"KeepAlive"}')) == [Keepalive()]
    assert steps(one.receive_text('{"type":"Finalize","channel":0}')) == [Flush()]
    assert steps(one.receive_text('{"type":"CloseStream"}')) == [Stop()]


def test_an_empty_binary_message_ends_the_stream_as_it_did_of_old() -> None:
    assert steps(dialect().receive_bytes(b"")) == [Stop()]


def test_keyterms_can_be_changed_and_that_is_confirmed() -> None:
    message = '{"type":"Configure","keyterms":["Auricle"],"features":{"numerals":true}}'
    tune, reply = steps(dialect().receive_text(message))
    assert tune == UpdateConfig(hotwords=("Auricle",))
    assert isinstance(reply, Reply)
    assert json.loads(reply.texts[0]) == {
        "type": "ConfigureSuccess",
        "request_id": "id",
        "keyterms": ["Auricle"],
    }


def test_a_change_without_keyterms_keeps_them() -> None:
    (reply,) = steps(dialect().receive_text('{"type":"Configure","features":{"numerals":true}}'))
    assert isinstance(reply, Reply)
    assert json.loads(reply.texts[0]) == {"type": "ConfigureSuccess", "request_id": "id"}


def test_too_many_keyterms_are_refused_in_words_that_clients_know() -> None:
    message = {"type": "Configure", "keyterms": [f"word{n}" for n in range(501)]}
    (reply,) = steps(dialect().receive_text(json.dumps(message)))
    assert isinstance(reply, Reply)
    messages = json.loads(reply.texts[0])
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
        '{"type":"KeepAlive"' + " " * 300_000 + "}",
        "[" * 60_000,
    ],
)
def test_what_is_no_message_is_told(text: str) -> None:
    with pytest.raises(BadRequest):
        dialect().receive_text(text)


def test_such_an_error_is_told_in_a_message_of_its_own() -> None:
    (messages,) = tell(dialect(), Failed("bad_request", "Why.", False))
    assert messages == {"type": "Error", "variant": "SchemaError", "description": "Why."}


# Results.


def test_an_utterance_is_some_guesses_and_one_final_result() -> None:
    one = dialect()
    messages = tell(
        one,
        Ready("s", "secret", False, False, 0, 0),
        SpeechStarted(1600),
        Partial(1, "And", " so my", 0, 16_000),
        SpeechEnded(30_000),
        final(1),
    )
    assert [message["is_final"] for message in messages] == [False, True]
    interim, last = messages
    assert interim["channel"]["alternatives"][0]["transcript"] == "And so my"
    assert interim["channel"]["alternatives"][0]["words"][2]["end"] == 1.0
    assert not interim["speech_final"]
    assert last == {
        "type": "Results",
        "channel_index": [0, 1],
        "duration": 2.0,
        "start": 0.0,
        "is_final": True,
        "speech_final": True,
        "from_finalize": False,
        "channel": {
            "alternatives": [
                {
                    "transcript": "And so.",
                    "confidence": 0.9,
                    "words": [
                        {
                            "word": "and",
                            "start": 0.0,
                            "end": 0.5,
                            "confidence": 0.9,
                            "punctuated_word": "And",
                        },
                        {
                            "word": "so",
                            "start": 0.5,
                            "end": 1.0,
                            "confidence": 0.9,
                            "punctuated_word": "so.",
                        },
                    ],
                }
            ]
        },
        "metadata": {
            "request_id": "id",
            "model_info": {"name": "base", "version": "1", "arch": "whisper"},
            "model_uuid": Model("base", "1").uuid,
        },
    }


def test_the_start_of_speech_is_told_if_that_was_asked_for() -> None:
    assert tell(dialect(), SpeechStarted(1600)) == []
    (messages,) = tell(dialect(LINEAR + "&vad_events=true"), SpeechStarted(1600))
    assert messages == {"type": "SpeechStarted", "channel": [0, 1], "timestamp": 0.1}


def test_a_speaker_who_goes_on_has_not_come_to_an_end() -> None:
    one = dialect()
    tell(one, *ended(0, 400_000), SpeechStarted(400_512))  # truncated to its maximum length
    assert not tell(one, final(1))[0]["speech_final"]
    tell(one, SpeechEnded(500_000))
    assert tell(one, final(2))[0]["speech_final"]


def test_somebody_who_speaks_again_soon_had_come_to_an_end() -> None:
    one = dialect()
    tell(one, *ended(0, 16_000), SpeechStarted(26_000))
    assert tell(one, final(1))[0]["speech_final"]


def test_without_endpointing_no_result_is_one() -> None:
    one = dialect(LINEAR + "&endpointing=false")
    (messages,) = tell(one, *ended(0, 16_000), final(1))
    assert messages["is_final"]
    assert not messages["speech_final"]


def test_a_language_that_was_found_is_told() -> None:
    one = dialect(LINEAR + "&language=multi")
    (messages,) = tell(one, *ended(0, 16_000), final(1))
    assert messages["channel"]["alternatives"][0]["languages"] == ["en"]


def test_an_utterance_that_could_not_be_recognised_is_an_empty_result() -> None:
    one = dialect()
    lost = Final(1, 1, "", 0, 16_000, None, None, 0.0, False, error="poison_job")
    (messages,) = tell(one, *ended(0, 16_000), lost)
    assert messages["channel"]["alternatives"][0] == {
        "transcript": "",
        "confidence": 0.0,
        "words": [],
    }
    assert messages["speech_final"]


# Finalize.


def test_finalize_is_answered_by_the_result_of_what_it_ended() -> None:
    one = dialect(LINEAR + "&endpointing=false")
    messages = tell(one, *ended(0, 16_000), Flushed(16_000, True), final(1), Finalized(16_000))
    assert [(m["from_finalize"], m["speech_final"]) for m in messages] == [(True, True)]


def test_it_is_answered_without_any_speech() -> None:
    one = dialect()
    marks = AudioProgress(48_000, 40_000)  # a later word may start there
    (_, messages) = tell(one, marks, Flushed(48_000, False), Finalized(48_000))
    assert messages["from_finalize"]
    assert messages["is_final"]
    assert (messages["start"], messages["duration"]) == (0.0, 2.5)
    assert messages["channel"]["alternatives"][0]["transcript"] == ""


def test_it_is_answered_by_the_last_of_several_results() -> None:
    one = dialect()
    messages = tell(
        one,
        *ended(0, 16_000),
        *ended(40_000, 60_000),
        Flushed(64_000, False),
        final(1, end=16_000),
        SpeechStarted(80_000),
        final(2, start=40_000, end=60_000),
        Finalized(64_000),
        SpeechEnded(96_000),
        final(3, start=80_000, end=96_000),
    )
    assert [message["from_finalize"] for message in messages] == [False, True, False]


def test_each_of_two_is_answered_once() -> None:
    one = dialect()
    messages = tell(
        one,
        *ended(0, 16_000),
        Flushed(16_000, True),
        Flushed(16_000, False),
        final(1, end=20_000),
        Finalized(16_000),
        Finalized(16_000),
    )
    assert [message["from_finalize"] for message in messages] == [True, True]
    assert (messages[1]["start"], messages[1]["duration"]) == (1.25, 0.0)


# UtteranceEnd.


def test_a_silence_after_the_last_word_is_told_once() -> None:
    one = dialect(LINEAR + "&utterance_end_ms=1000")
    messages = tell(one, *ended(0, 16_000), final(1), AudioProgress(30_000, 30_000))
    assert [message["type"] for message in messages] == ["Results"]
    messages = tell(
        one,
        AudioProgress(32_000, 32_000),
        AudioProgress(48_000, 48_000),
        AudioProgress(64_000, 64_000),
    )
    messages = [message for message in messages if message["type"] != "Results"]
    assert messages == [{"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 1.0}]


def test_it_is_not_told_while_somebody_speaks_or_words_are_missing() -> None:
    one = dialect(LINEAR + "&utterance_end_ms=1000")
    tell(one, *ended(0, 16_000), final(1), SpeechStarted(24_000))
    assert tell(one, AudioProgress(64_000, 0)) == []
    tell(one, SpeechEnded(64_000))
    assert tell(one, AudioProgress(96_000, 0)) == []
    (result, end) = tell(one, final(2, "ask not", 24_000, 64_000), AudioProgress(96_000, 0))
    assert (result["type"], end["last_word_end"]) == ("Results", 2.5)


def test_silence_is_covered_by_empty_interim_results_that_add_up() -> None:
    one = dialect()
    messages = tell(
        one,
        AudioProgress(16_000, 12_000),
        AudioProgress(32_000, 28_000),
        AudioProgress(33_000, 29_000),
    )
    messages += tell(one, SpeechStarted(40_000), AudioProgress(48_000, 30_000), SpeechEnded(64_000))
    messages += tell(one, AudioProgress(80_000, 38_000), final(1, "ask not", 38_000, 64_000))
    messages += tell(one, AudioProgress(80_000, 76_000), AudioProgress(96_000, 92_000))
    assert [(m["start"], m["duration"], m["is_final"]) for m in messages] == [
        (0.0, 0.75, False),
        (0.75, 1.0, False),
        (2.375, 1.625, True),
        (4.0, 0.75, False),
        (4.75, 1.0, False),
    ]
    assert not any(m["speech_final"] or m["from_finalize"] for m in messages if not m["is_final"])
    empty = messages[0]["channel"]["alternatives"]
    assert empty == [{"transcript": "", "confidence": 0.0, "words": []}]


def test_silence_is_not_told_where_no_interim_results_are_wanted() -> None:
    one = dialect("encoding=linear16&sample_rate=16000")
    assert tell(one, AudioProgress(16_000, 12_000), AudioProgress(32_000, 28_000)) == []


# The end of the stream.


def test_it_ends_with_metadata_about_all_of_its_audio() -> None:
    one = dialect()
    one.receive_bytes(b"some ")
    one.receive_bytes(b"audio")
    (messages,) = tell(one, Closed("stop", 24_000, 0, 0, 0))
    assert messages == {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": "id",
        "sha256": hashlib.sha256(b"some audio").hexdigest(),
        "created": "2026-11-25T12:00:00.000Z",
        "duration": 1.5,
        "channels": 1,
    }


@pytest.mark.parametrize(
    ("code", "close_code", "closed_with", "reason"),
    [
        ("idle_timeout", 1008, 1011, "NET-0001: "),
        ("bad_audio", 1007, 1008, "DATA-0000: why"),
        ("protocol_error", 1002, 1008, "DATA-0000: why"),
        ("draining", 1012, 1012, "draining: why"),
        ("queue_full", 1013, 1013, "queue_full: why"),
    ],
)
def test_connections_part_with_codes_that_clients_know(
    code: str, close_code: int, closed_with: int, reason: str
) -> None:
    shown = dialect().closing_messages(End(code, close_code, Failed(code, "why", False)))
    assert (shown.texts, shown.close_code) == ((), closed_with)
    assert shown.reason.startswith(reason)


def test_a_good_end_has_no_reason_and_a_long_one_fits() -> None:
    assert dialect().closing_messages(End("done", 1000)).reason == ""
    long = dialect().closing_messages(End("bad_audio", 1007, Failed("bad_audio", "é" * 200, False)))
    assert 100 < len(long.reason.encode()) <= 123


# Text messages sent as binary.


@pytest.mark.parametrize(
    ("data", "step"),
    [
        (b'{"type":"CloseStream"}', Stop()),
        (b'{"type": "KeepAlive"}', Keepalive()),
        (b'{ "type": "Finalize" }', Flush()),
    ],
)
@pytest.mark.parametrize("query", [LINEAR, "", "encoding=opus"])
def test_a_binary_control_message_is_one(query: str, data: bytes, step: Step) -> None:
    assert steps(dialect(query).receive_bytes(data)) == [step]


@pytest.mark.parametrize(
    "data", [b'{"type":"Sing"}', b"{}{}", b"{\xff\xfe\x00", b"{" + bytes(2047)]
)
def test_audio_that_looks_like_one_is_audio(data: bytes) -> None:
    assert steps(dialect().receive_bytes(data)) == [data]
