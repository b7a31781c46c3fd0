"""The native protocol: ``[kind][text]``, a client's message, a query or a server's message."""

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import parse_qsl

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
    Failed,
    Final,
    Partial,
    Ready,
    SpeechStarted,
    SwitchFormat,
    Warned,
    WarningCode,
    Wire,
)
from auricle.values.types import Word
from fuzz.mutation import json_mutation, query_mutation, tagged
from fuzz.target import Target

MODULES = ("auricle.apis.native.wire.stream",)
_COMMANDS: tuple[Command, ...] = (
    Start(language="en", hotwords=("Auricle",), prompt="Hello"),
    Resume("session", "secret", 3),
    Finalize(),
    Keepalive(),
    Configure(endpoint_ms=300, format=Wire.PCM16, sample_rate=8000, language=None),
    Ack(3),
    Stop(),
)
_EVENTS = (
    Ready("session", "secret", False, True, 0, 0),
    SpeechStarted(16_000),
    Partial(1, "Hello", " world", 0, 16_000),
    Final(1, 1, "Hi", 0, 16_000, "en", (Word(0, 800, "Hi", 0.5),), 3.0, False, None),
    AudioProgress(16_000, 0, 5, 1),
    Warned(WarningCode.AUDIO_GAP, "A gap.", 20),
    SwitchFormat(Wire.PCM16, "because"),
    Failed("draining", "Later.", True, 5.0),
    Closed("stop", 16_000, 50, 1, 0),
)
_WORDS = (
    *StreamParameters.__struct_fields__,
    *("type", "start", "resume", "finalize", "keepalive", "configure", "ack", "stop"),
    *("session", "secret", "last_result", "result", "pcm16", "opus-message", "ogg", "webm"),
    *("ready", "partial", "final", "progress", "warning", "switch_format", "error", "closed"),
    *("words", "start_s", "end_s", "at_s", "message", "code", "retryable", "retry_after_s"),
    *("transcribe", "translate", "audio_gap", "speech_started", "speech_ended"),
)


def _command(text: bytes) -> None:
    try:
        command = decode_command(text)
    except BadRequest:
        return
    assert decode_command(encode_command(command)) == command, "it changes on its way"


def _query(text: bytes) -> None:
    query = dict(parse_qsl(text.decode(errors="replace"), keep_blank_values=True))
    try:
        parameters = parse_query(query)
    except BadRequest:
        return
    assert 8000 <= parameters.sample_rate <= 96_000
    assert 2.5 <= parameters.frame_ms <= 120
    assert 0 <= parameters.resume_sample <= 2**53


def _event(text: bytes) -> None:
    with suppress(BadRequest):
        decode_event(text)


_READERS = (_command, _query, _event)


def run(data: bytes) -> None:
    """Read it as what it says it is."""
    if data:
        _READERS[data[0] % len(_READERS)](data[1:])


def seeds() -> Iterator[bytes]:
    """Give every message, some queries, and JSON that is too deep."""
    yield from (b"\0" + encode_command(command).encode() for command in _COMMANDS)
    yield b"\1format=pcm16&sample_rate=48000&channels=2&frame_ms=60&seq=1&hotwords=a,b&partials=0"
    yield b"\1language=de&task=translate&prompt=x&endpoint_ms=300&start_sample=5&safe_sample=9"
    yield from (b"\2" + encode_event(event).encode() for event in _EVENTS)
    yield from (kind + b'{"type":"stop","x":' + b"[" * 2000 for kind in (b"\0", b"\2"))


TARGET = Target(
    run,
    seeds,
    tagged((json_mutation(_WORDS), query_mutation(_WORDS), json_mutation(_WORDS))),
    words=tuple(f'"{word}"'.encode() for word in _WORDS),
    loop_bytes=2**16,
)
