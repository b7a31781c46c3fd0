"""The text messages of the native live protocol, for servers and clients.

A message is a JSON object with a ``type``. Server messages are the events of
:mod:`auricle.values.events`, with seconds instead of samples; client messages are those of
:mod:`auricle.values.commands` and the two that begin a connection. Both sides ignore unknown
fields, and clients ignore unknown types.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from auricle.protocol.fields import check_length, convert_texts, decode_json
from auricle.protocol.ignored import field_beginnings, ignored_options
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
    TurnResumed,
    Warned,
    WarningCode,
)
from auricle.values.limits import MAX_ID_CHARACTERS
from auricle.values.types import SAMPLE_RATE_HZ, Speaker, Word

_WARNING_CODES = frozenset(WarningCode)
_NO_MESSAGE = (
    *(msgspec.MsgspecError, RecursionError),  # not JSON, or nested too deeply
    *(LookupError, TypeError, ValueError, OverflowError),  # raised by readers
)

_PARAMETERS = frozenset(StreamParameters.__struct_fields__)
_OF_THE_HANDSHAKE = frozenset({"resume", "session", "token", "waiter"})
_OF_START = _PARAMETERS | {"type", "session", "secret"}


class Start(StreamParameters, frozen=True, kw_only=True, tag="start", tag_field="type"):
    """The first text message of a client that does not send its parameters in the query.

    ``session`` and ``secret`` are those of a lost session that this one continues, for its readers.
    """

    session: Annotated[str, Meta(max_length=MAX_ID_CHARACTERS)] = ""
    secret: Annotated[str, Meta(max_length=MAX_ID_CHARACTERS)] = ""


class Resume(msgspec.Struct, frozen=True, tag="resume", tag_field="type"):
    """The first text message of a client that resumes a session."""

    session: Annotated[str, Meta(max_length=MAX_ID_CHARACTERS)]
    secret: Annotated[str, Meta(max_length=MAX_ID_CHARACTERS)]
    last_result: Annotated[int, Meta(ge=0, le=2**53)] = 0


Command = Start | Resume | Finalize | Keepalive | Configure | Ack | Stop
_COMMANDS: Any = Command


def decode_command(text: str | bytes) -> Command:
    """Decode a client message.

    Raises:
        BadRequest: The message is invalid.
    """
    check_length(text)
    command: Command = decode_json(text, _COMMANDS, "message")
    return command


def ignored_parameters(query: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return a warning for each query parameter that has no effect."""
    return ignored_options(query, _PARAMETERS | _OF_THE_HANDSHAKE)


def ignored_in_start(text: str) -> tuple[str, ...]:
    """Return a warning for each field of a valid ``start`` message that has no effect."""
    fields = decode_json(text, dict[str, msgspec.Raw], "message")
    return ignored_options(field_beginnings(fields), _OF_START)


def encode_command(command: Command) -> str:
    """Encode a client message."""
    return msgspec.json.encode(command).decode()


def parse_query(query: Mapping[str, str]) -> StreamParameters:
    """Parse stream parameters from a query; lists are comma-separated.

    Raises:
        BadRequest: A value is out of range or of the wrong type.
    """
    return convert_texts(query.items(), StreamParameters, "query")


def encode_event(event: Event) -> str:
    """Encode a server message."""
    message: dict[str, Any] = {"type": _NAMES[type(event)]}
    for name, field in _LAYOUTS[type(event)]:
        value = getattr(event, name)
        if value not in (None, ()) or name not in _OMITTED_IF_UNKNOWN:
            message[field.name] = field.encode(value)
    return msgspec.json.encode(message).decode()


def decode_event(text: str | bytes) -> Event | None:
    """Decode a server message; return ``None`` for a type that this version does not know.

    Raises:
        BadRequest: The message is invalid.
    """
    try:
        message = msgspec.json.decode(text)
        kind = _EVENTS.get(message["type"])
        if kind is None or (kind is Warned and message["code"] not in _WARNING_CODES):
            return None
        values = {
            name: field.decode(message[field.name])
            for name, field in _LAYOUTS[kind]
            if field.name in message
        }
        return msgspec.convert(values, kind)
    except _NO_MESSAGE as error:
        raise BadRequest("Invalid message from the server.") from error


def _seconds(sample: int) -> float:
    return round(sample / SAMPLE_RATE_HZ, 5)  # exact enough to restore the sample


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)


def _unchanged(value: Any) -> Any:
    return value


def _rounded(probability: float) -> float:
    return round(probability, 3)


def _words(words: tuple[Word, ...] | None) -> list[dict[str, Any]] | None:
    if words is None:
        return None
    return [
        {
            "start": _seconds(word.start_sample),
            "end": _seconds(word.end_sample),
            "word": word.text,
            "probability": round(word.probability, 3),
        }
        | ({} if word.speaker is None else {"speaker": word.speaker})
        for word in words
    ]


def _read_words(words: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    if words is None:
        return None
    return [
        {
            "start_sample": _samples(word["start"]),
            "end_sample": _samples(word["end"]),
            "text": word["word"],
            "probability": word["probability"],
            "speaker": word.get("speaker"),
        }
        for word in words
    ]


def _segments(segments: tuple[SpeakerSegment, ...]) -> list[dict[str, Any]]:
    return [
        {
            "start": _seconds(segment.start_sample),
            "end": _seconds(segment.end_sample),
            "text": segment.text,
            "speaker": segment.speaker,
        }
        for segment in segments
    ]


def _read_segments(segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "start_sample": _samples(segment["start"]),
            "end_sample": _samples(segment["end"]),
            "text": segment["text"],
            "speaker": segment["speaker"],
        }
        for segment in segments
    ]


def _speakers(speakers: tuple[Speaker, ...]) -> list[dict[str, Any]]:
    return [{"speaker": speaker.number, "name": speaker.name} for speaker in speakers]


def _read_speakers(speakers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"number": speaker["speaker"], "name": speaker["name"]} for speaker in speakers]


def _revised(finals: tuple[FinalSpeakers, ...]) -> list[dict[str, Any]]:
    return [
        {"id": final.id, "speaker": final.speaker, "segments": _segments(final.segments)}
        | ({"speakers": _speakers(final.speakers)} if final.speakers else {})
        for final in finals
    ]


def _read_revised(finals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "id": final["id"],
            "speaker": final["speaker"],
            "segments": _read_segments(final["segments"]),
            "speakers": _read_speakers(final.get("speakers", [])),
        }
        for final in finals
    ]


class _Field(NamedTuple):
    """How a field of an event looks in its message."""

    name: str
    encode: Callable[[Any], Any] = _unchanged
    decode: Callable[[Any], Any] = _unchanged


_FIELDS = {
    "sample_rate_hz": _Field("sample_rate"),
    "received_sample": _Field("received"),
    "safe_sample": _Field("safe"),
    "at_sample": _Field("at_s", _seconds, _samples),
    "start_sample": _Field("start_s", _seconds, _samples),
    "end_sample": _Field("end_s", _seconds, _samples),
    "audio_samples": _Field("audio_s", _seconds, _samples),
    "words": _Field("words", _words, _read_words),
    "latency_ms": _Field("latency_ms", round),
    "probability": _Field("probability", _rounded),
    "end_of_turn": _Field("end_of_turn", _rounded),
    "segments": _Field("segments", _segments, _read_segments),
    "speakers": _Field("speakers", _speakers, _read_speakers),
    "finals": _Field("finals", _revised, _read_revised),
}
"""Fields that look different in a message; all others keep their name and value."""

_OMITTED_IF_UNKNOWN = frozenset(
    {
        *("speaker", "segments", "speakers", "channel", "channel_safe_samples"),
        *("end_of_turn", "trigger", "original"),
    }
)

_EVENTS: dict[str, type[Event]] = {
    "ready": Ready,
    "speech_started": SpeechStarted,
    "speech_ended": SpeechEnded,
    "partial": Partial,
    "eager_final": EagerFinal,
    "turn_resumed": TurnResumed,
    "final": Final,
    "speaker_revision": SpeakerRevision,
    "progress": AudioProgress,
    "warning": Warned,
    "switch_format": SwitchFormat,
    "error": Failed,
    "closed": Closed,
}
_NAMES = {kind: name for name, kind in _EVENTS.items()}
_LAYOUTS = {
    kind: [(field.name, _FIELDS.get(field.name, _Field(field.name))) for field in fields(kind)]
    for kind in _NAMES
}
