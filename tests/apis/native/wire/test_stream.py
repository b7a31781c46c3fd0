"""The text messages of /v1/stream, as servers and clients encode and decode them."""

import json
import typing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from auricle.apis.native.wire.stream import (
    Command,
    Resume,
    Start,
    decode_command,
    decode_event,
    encode_command,
    encode_event,
    parse_query,
)
from auricle.values.commands import Ack, Configure, Finalize, Keepalive, Stop, StreamParameters
from auricle.values.errors import BadRequest
from auricle.values.events import (
    AudioProgress,
    Closed,
    EagerFinal,
    Event,
    Failed,
    Final,
    FinalSpeakers,
    Partial,
    Ready,
    SpeakerRevision,
    SpeakerSegment,
    SpeechEnded,
    SpeechStarted,
    SwitchFormat,
    Trigger,
    TurnResumed,
    Warned,
    WarningCode,
    Wire,
)
from auricle.values.limits import MAX_HOTWORDS, MAX_MESSAGE_CHARACTERS, MAX_PROMPT_CHARACTERS
from auricle.values.types import Speaker, Task, Word

pytestmark = pytest.mark.unit

FINAL = Final(
    id=3,
    utterance=4,
    text="…",
    start_sample=6400,
    end_sample=176_000,
    language="en",
    words=(Word(6400, 8000, " And", 0.98765),),
    latency_ms=239.6,
    revised=False,
)
SEGMENTS = (SpeakerSegment(6400, 8000, "And", 0), SpeakerSegment(8000, 9600, "so", 1))
KNOWN = (Speaker(1, "Ann"),)
KNOWN_JSON = [{"speaker": 1, "name": "Ann"}]
SEGMENTS_JSON = [
    {"start": 0.4, "end": 0.5, "text": "And", "speaker": 0},
    {"start": 0.5, "end": 0.6, "text": "so", "speaker": 1},
]
MESSAGES: list[tuple[Event, dict[str, object]]] = [
    (
        replace(
            FINAL,
            words=(Word(6400, 8000, " And", 0.9, speaker=1),),
            latency_ms=240.0,
            speaker=1,
            segments=SEGMENTS,
        ),
        {
            "type": "final",
            "id": 3,
            "utterance": 4,
            "text": "…",
            "start_s": 0.4,
            "end_s": 11.0,
            "language": "en",
            "words": [{"start": 0.4, "end": 0.5, "word": " And", "probability": 0.9, "speaker": 1}],
            "latency_ms": 240,
            "revised": False,
            "error": None,
            "speaker": 1,
            "segments": SEGMENTS_JSON,
        },
    ),
    (
        EagerFinal(4, "And", 6400, 9600, "en", (Word(6400, 8000, " And", 0.9),), 0.512),
        {
            "type": "eager_final",
            "utterance": 4,
            "text": "And",
            "start_s": 0.4,
            "end_s": 0.6,
            "language": "en",
            "words": [{"start": 0.4, "end": 0.5, "word": " And", "probability": 0.9}],
            "probability": 0.512,
        },
    ),
    (TurnResumed(4, channel=1), {"type": "turn_resumed", "utterance": 4, "channel": 1}),
    (
        replace(
            FINAL,
            words=None,
            latency_ms=480,
            end_of_turn=0.93,
            trigger=Trigger.MODEL,
            original="...",
        ),
        {
            "type": "final",
            "id": 3,
            "utterance": 4,
            "text": "…",
            "start_s": 0.4,
            "end_s": 11.0,
            "language": "en",
            "words": None,
            "latency_ms": 480,
            "revised": False,
            "error": None,
            "end_of_turn": 0.93,
            "trigger": "model",
            "original": "...",
        },
    ),
    (
        SpeakerRevision((FinalSpeakers(3, 1, SEGMENTS, KNOWN), FinalSpeakers(4, None, ()))),
        {
            "type": "speaker_revision",
            "finals": [
                {"id": 3, "speaker": 1, "segments": SEGMENTS_JSON, "speakers": KNOWN_JSON},
                {"id": 4, "speaker": None, "segments": []},
            ],
        },
    ),
    (
        Ready("s", "x", False, True, 182_400, 176_000, "tiny", speakers_continue=True),
        {
            "type": "ready",
            "session": "s",
            "secret": "x",
            "sample_rate": 16_000,
            "resumed": False,
            "resumable": True,
            "received": 182_400,
            "safe": 176_000,
            "model": "tiny",
            "speakers_continue": True,
        },
    ),
    (SpeechStarted(6720), {"type": "speech_started", "at_s": 0.42}),
    (SpeechEnded(176_320), {"type": "speech_ended", "at_s": 11.02}),
    (
        Partial(3, "And so my fellow", " Americans ask", 6400, 33_600),
        {
            "type": "partial",
            "utterance": 3,
            "stable": "And so my fellow",
            "unstable": " Americans ask",
            "start_s": 0.4,
            "end_s": 2.1,
        },
    ),
    (
        FINAL,
        {
            "type": "final",
            "id": 3,
            "utterance": 4,
            "text": "…",
            "start_s": 0.4,
            "end_s": 11.0,
            "language": "en",
            "words": [{"start": 0.4, "end": 0.5, "word": " And", "probability": 0.988}],
            "latency_ms": 240,
            "revised": False,
            "error": None,
        },
    ),
    (
        AudioProgress(182_400, 176_000, 571, 549),
        {
            "type": "progress",
            "received": 182_400,
            "safe": 176_000,
            "received_seq": 571,
            "safe_seq": 549,
        },
    ),
    (
        Warned(WarningCode.AUDIO_GAP, "words", 40),
        {"type": "warning", "code": "audio_gap", "message": "words", "gap_ms": 40},
    ),
    (
        SwitchFormat(Wire.PCM16, "3 packets in a row could not be decoded"),
        {
            "type": "switch_format",
            "format": "pcm16",
            "reason": "3 packets in a row could not be decoded",
        },
    ),
    (
        Failed("queue_full", "words", True, 2.5),
        {
            "type": "error",
            "code": "queue_full",
            "message": "words",
            "retryable": True,
            "retry_after_s": 2.5,
        },
    ),
    (
        Closed("stop", 179_200, 560, 3, 1),
        {
            "type": "closed",
            "reason": "stop",
            "audio_s": 11.2,
            "packets": 560,
            "lost_packets": 3,
            "decode_errors": 1,
        },
    ),
]


@pytest.mark.parametrize(("event", "message"), MESSAGES, ids=lambda value: type(value).__name__)
def test_a_servers_message_looks_as_the_protocol_says(
    event: Event, message: dict[str, object]
) -> None:
    assert json.loads(encode_event(event)) == message


def test_every_event_has_a_message() -> None:
    assert {type(event) for event, _ in MESSAGES} == set(typing.get_args(Event))


@pytest.mark.parametrize("event", [event for event, _ in MESSAGES if event is not FINAL])
def test_a_client_reads_what_a_server_wrote(event: Event) -> None:
    assert decode_event(encode_event(event)) == event


@pytest.mark.parametrize("words", [None, (), (Word(6400, 8000, " And", 0.5),)])
def test_a_final_is_read_with_its_words_or_none(words: tuple[Word, ...] | None) -> None:
    final = Final(1, 1, "And", 6400, 8000, None, words, 240.0, True, "poison_job")
    assert decode_event(encode_event(final)) == final


@given(sample=st.integers(0, 2**36))
def test_a_client_finds_the_very_sample(sample: int) -> None:
    assert decode_event(encode_event(SpeechStarted(sample))) == SpeechStarted(sample)


def test_a_message_of_a_later_version_is_rejected() -> None:
    assert decode_event('{"type":"applause","at_s":1}') is None
    assert decode_event('{"type":"warning","code":"dull","message":"","gap_ms":null}') is None
    assert decode_event('{"type":"speech_started","at_s":1,"by":"Joe"}') == SpeechStarted(16_000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "5",
        "{}",
        '{"type":["ready"]}',
        '{"type":"ready"}',
        '{"type":"speech_ended","at_s":"soon"}',
        '{"type":"final","id":1}',
        '{"type":"switch_format","format":"smoke","reason":""}',
        '{"type":"speech_started","at_s":1e308}',
        '{"type":"progress","received":"all","safe":0,"received_seq":null,"safe_seq":null}',
        '{"type":"error","code":"internal","message":5,"retryable":false}',
        '{"type":"final","id":1,"utterance":1,"text":"","start_s":0,"end_s":1,"language":"en",'
        '"words":[{"start":0,"end":1,"word":5,"probability":1}],"latency_ms":1,"revised":false}',
        "[" * 5000,
        b"\xff\xfe",
    ],
)
def test_what_is_not_a_message_is_distinguished_from_those_that_are_not_known(
    text: str | bytes,
) -> None:
    with pytest.raises(BadRequest):
        decode_event(text)


COMMANDS: list[tuple[str, Command]] = [
    ('{"type":"finalize"}', Finalize()),
    ('{"type":"keepalive","more":1}', Keepalive()),
    ('{"type":"stop"}', Stop()),
    ('{"type":"ack","result":3}', Ack(3)),
    ('{"type":"resume","session":"s","secret":"x"}', Resume("s", "x", 0)),
    ('{"type":"resume","session":"s","secret":"x","last_result":3}', Resume("s", "x", 3)),
    ('{"type":"configure"}', Configure()),
    ('{"type":"configure","language":null}', Configure(language=None)),
    (
        '{"type":"configure","format":"pcm16","sample_rate":48000,"endpoint_ms":300,"prompt":"x"}',
        Configure(format=Wire.PCM16, sample_rate=48_000, endpoint_ms=300, prompt="x"),
    ),
    (
        '{"type":"configure","task":"translate","hotwords":["Auricle"]}',
        Configure(task=Task.TRANSLATE, hotwords=("Auricle",)),
    ),
    ('{"type":"start","format":"ogg","seq":true}', Start(format=Wire.OGG, seq=True)),
]


@pytest.mark.parametrize(("text", "command"), COMMANDS, ids=[text for text, _ in COMMANDS])
def test_a_clients_message_is_read(text: str, command: Command) -> None:
    assert decode_command(text) == command
    assert decode_command(text.encode()) == command


@pytest.mark.parametrize("command", [command for _, command in COMMANDS])
def test_a_server_reads_what_a_client_wrote(command: Command) -> None:
    assert decode_command(encode_command(command)) == command


def test_what_a_client_does_not_configure_is_not_there() -> None:
    configure = decode_command('{"type":"configure","language":"de"}')
    assert isinstance(configure, Configure)
    assert (configure.prompt, configure.format, configure.sample_rate) == (UNSET, UNSET, UNSET)
    assert json.loads(encode_command(configure)) == {"type": "configure", "language": "de"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "{}",
        '{"type":"dance"}',
        '{"type":5}',
        '{"type":"ack"}',
        '{"type":"ack","result":-1}',
        '{"type":"ack","result":"3"}',
        '{"type":"ack","result":1e30}',
        '{"type":"resume","session":"s"}',
        '{"type":"configure","sample_rate":7999}',
        '{"type":"configure","sample_rate":96001}',
        '{"type":"configure","endpoint_ms":99}',
        '{"type":"configure","endpoint_ms":5001}',
        '{"type":"configure","format":"mp3"}',
        '{"type":"start","frame_ms":0}',
        '{"type":"start","frame_ms":NaN}',
        '{"type":"start","channels":9}',
        '{"type":"start","start_sample":-1}',
        '{"type":"stop"}{"type":"stop"}',
        "[" * 30_000,
        b"\xff",
        "\ud800",
    ],
)
def test_what_is_not_a_clients_message_is_refused(text: str | bytes) -> None:
    with pytest.raises(BadRequest, match="Invalid message"):
        decode_command(text)


def test_text_is_bounded() -> None:
    padding = " " * (MAX_MESSAGE_CHARACTERS - len('{"type":"stop"}'))
    assert decode_command('{"type":"stop"}' + padding) == Stop()
    with pytest.raises(BadRequest, match="at most 262144 characters"):
        decode_command('{"type":"stop"} ' + padding)


def test_prompts_and_hotwords_are_bounded() -> None:
    for field, most, one in (("prompt", MAX_PROMPT_CHARACTERS, "x"), ("hotwords", MAX_HOTWORDS, 0)):
        value = one * most if isinstance(one, str) else ["w"] * most
        decode_command(json.dumps({"type": "start", field: value}))
        more = value + value[:1]  # type: ignore[operator]  # both are sequences of one type
        with pytest.raises(BadRequest):
            decode_command(json.dumps({"type": "start", field: more}))


def test_a_refusal_names_the_field_without_its_value() -> None:
    with pytest.raises(BadRequest) as caught:
        decode_command('{"type":"configure","prompt":["my secret"]}')
    assert "$.prompt" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_without_a_query_everything_is_as_the_protocol_says() -> None:
    assert parse_query({}) == StreamParameters(
        format=Wire.OPUS,
        sample_rate=16_000,
        channels=1,
        frame_ms=20,
        seq=False,
        language=None,
        task=Task.TRANSCRIBE,
        prompt=None,
        hotwords=(),
        partials=True,
        endpoint_ms=None,
        word_timestamps=False,
        start_sample=0,
    )


def test_a_query_is_read_with_flags_as_digits_and_words_between_commas() -> None:
    query = {
        "format": "opus-message",
        "sample_rate": "48000",
        "channels": "2",
        "frame_ms": "2.5",
        "seq": "1",
        "language": "de",
        "task": "translate",
        "prompt": "Namen, viele",
        "hotwords": " Auricle, ,Ohr,",
        "partials": "0",
        "endpoint_ms": "300",
        "word_timestamps": "1",
        "start_sample": "182400",
        "token": "not ours",
    }
    assert parse_query(query) == StreamParameters(
        format=Wire.OPUS_MESSAGE,
        sample_rate=48_000,
        channels=2,
        frame_ms=2.5,
        seq=True,
        language="de",
        task=Task.TRANSLATE,
        prompt="Namen, viele",
        hotwords=("Auricle", "Ohr"),
        partials=False,
        endpoint_ms=300,
        word_timestamps=True,
        start_sample=182_400,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", "mp3"),
        ("sample_rate", "7999"),
        ("sample_rate", "96001"),
        ("channels", "0"),
        ("channels", "9"),
        ("frame_ms", "nan"),
        ("frame_ms", "inf"),
        ("frame_ms", "120.1"),
        ("seq", "2"),
        ("seq", "yes"),
        ("partials", ""),
        ("task", "sing"),
        ("endpoint_ms", "99"),
        ("endpoint_ms", "5001"),
        ("start_sample", "-1"),
        ("start_sample", "9007199254740993"),
        ("prompt", "x" * (MAX_PROMPT_CHARACTERS + 1)),
        ("hotwords", ",".join(["w"] * (MAX_HOTWORDS + 1))),
    ],
)
def test_a_query_that_can_not_be_used_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=rf"\$\.{name}"):
        parse_query({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sample_rate", "8000"),
        ("sample_rate", "96000"),
        ("endpoint_ms", "100"),
        ("frame_ms", "120"),
    ],
)
def test_the_edges_of_what_is_allowed_are_allowed(name: str, value: str) -> None:
    assert getattr(parse_query({name: value}), name) == float(value)
