"""The text messages of the native live protocol, for servers and clients.

A message is a JSON object with a ``type``. Server messages are the events of
:mod:`auricle.events`, with seconds instead of samples; client messages are those of
:mod:`auricle.commands` and the two that begin a connection. Both sides ignore unknown fields, and
clients ignore unknown types.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from auricle.commands import Ack, Configure, Finalize, Keepalive, Stop, StreamParameters
from auricle.errors import BadRequest
from auricle.events import (
    AudioProgress,
    Closed,
    Event,
    Failed,
    Final,
    Partial,
    Ready,
    SpeechEnded,
    SpeechStarted,
    SwitchFormat,
    Warned,
    WarningCode,
    Wire,
)
from auricle.limits import MAX_ID_CHARACTERS
from auricle.protocol.fields import check_length, convert_texts, decode_json
from auricle.protocol.ignored import field_beginnings, ignored_options
from auricle.types import SAMPLE_RATE_HZ, Word

_WARNING_CODES = frozenset(WarningCode)
_NO_MESSAGE = (
    *(msgspec.MsgspecError, RecursionError),  # not JSON, or nested too deeply
    *(LookupError, TypeError, ValueError, OverflowError),  # raised by readers
)

_PARAMETERS = frozenset(StreamParameters.__struct_fields__)
_OF_THE_HANDSHAKE = frozenset({"resume", "session", "token"})


class Start(StreamParameters, frozen=True, kw_only=True, tag="start", tag_field="type"):
    """The first text message of a client that does not send its parameters in the query."""


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
    return ignored_options(field_beginnings(fields), _PARAMETERS | {"type"})


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
    return msgspec.json.encode(_MESSAGES[type(event)](event)).decode()


def decode_event(text: str | bytes) -> Event | None:
    """Decode a server message; return ``None`` for a type that this version does not know.

    Raises:
        BadRequest: The message is invalid.
    """
    try:
        message = msgspec.json.decode(text)
        read = _READERS.get(message["type"])
        event = None if read is None else read(message)
        # Raises if a field does not have the type that the event declares.
        return event and msgspec.convert(msgspec.to_builtins(event), type(event))
    except _NO_MESSAGE as error:
        raise BadRequest("Invalid message from the server.") from error


def _seconds(sample: int) -> float:
    return round(sample / SAMPLE_RATE_HZ, 5)  # exact enough to restore the sample


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)


def _ready(event: Ready) -> dict[str, Any]:
    return {
        "type": "ready",
        "session": event.session,
        "secret": event.secret,
        "sample_rate": SAMPLE_RATE_HZ,
        "resumed": event.resumed,
        "resumable": event.resumable,
        "received": event.received_sample,
        "safe": event.safe_sample,
    }


def _read_ready(message: dict[str, Any]) -> Ready:
    return Ready(
        message["session"],
        message["secret"],
        message["resumed"],
        message["resumable"],
        message["received"],
        message["safe"],
    )


def _partial(event: Partial) -> dict[str, Any]:
    return {
        "type": "partial",
        "utterance": event.utterance,
        "stable": event.stable,
        "unstable": event.unstable,
        "start_s": _seconds(event.start_sample),
        "end_s": _seconds(event.end_sample),
    }


def _read_partial(message: dict[str, Any]) -> Partial:
    return Partial(
        message["utterance"],
        message["stable"],
        message["unstable"],
        _samples(message["start_s"]),
        _samples(message["end_s"]),
    )


def _final(event: Final) -> dict[str, Any]:
    return {
        "type": "final",
        "id": event.id,
        "utterance": event.utterance,
        "text": event.text,
        "start_s": _seconds(event.start_sample),
        "end_s": _seconds(event.end_sample),
        "language": event.language,
        "words": None if event.words is None else [_word(word) for word in event.words],
        "latency_ms": round(event.latency_ms),
        "revised": event.revised,
        "error": event.error,
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "start": _seconds(word.start_sample),
        "end": _seconds(word.end_sample),
        "word": word.text,
        "probability": round(word.probability, 3),
    }


def _read_final(message: dict[str, Any]) -> Final:
    words = message["words"]
    return Final(
        id=message["id"],
        utterance=message["utterance"],
        text=message["text"],
        start_sample=_samples(message["start_s"]),
        end_sample=_samples(message["end_s"]),
        language=message["language"],
        words=None if words is None else tuple(_read_word(word) for word in words),
        latency_ms=message["latency_ms"],
        revised=message["revised"],
        error=message["error"],
    )


def _read_word(word: dict[str, Any]) -> Word:
    return Word(_samples(word["start"]), _samples(word["end"]), word["word"], word["probability"])


def _marks(event: AudioProgress) -> dict[str, Any]:
    return {
        "type": "progress",
        "received": event.received_sample,
        "safe": event.safe_sample,
        "received_seq": event.received_seq,
        "safe_seq": event.safe_seq,
    }


def _warned(event: Warned) -> dict[str, Any]:
    return {
        "type": "warning",
        "code": event.code,
        "message": event.message,
        "gap_ms": event.gap_ms,
    }


def _read_warned(message: dict[str, Any]) -> Warned | None:
    """Decode a warning; return ``None`` for a code that this version does not know."""
    if message["code"] not in _WARNING_CODES:
        return None
    return Warned(WarningCode(message["code"]), message["message"], message["gap_ms"])


def _closed(event: Closed) -> dict[str, Any]:
    return {
        "type": "closed",
        "reason": event.reason,
        "audio_s": _seconds(event.audio_samples),
        "packets": event.packets,
        "lost_packets": event.lost_packets,
        "decode_errors": event.decode_errors,
    }


def _read_closed(message: dict[str, Any]) -> Closed:
    return Closed(
        message["reason"],
        _samples(message["audio_s"]),
        message["packets"],
        message["lost_packets"],
        message["decode_errors"],
    )


_MESSAGES: dict[type[Event], Any] = {
    Ready: _ready,
    SpeechStarted: lambda e: {"type": "speech_started", "at_s": _seconds(e.at_sample)},
    SpeechEnded: lambda e: {"type": "speech_ended", "at_s": _seconds(e.at_sample)},
    Partial: _partial,
    Final: _final,
    AudioProgress: _marks,
    Warned: _warned,
    SwitchFormat: lambda e: {"type": "switch_format", "format": e.format, "reason": e.reason},
    Failed: lambda e: {
        "type": "error",
        "code": e.code,
        "message": e.message,
        "retryable": e.retryable,
        "retry_after_s": e.retry_after_s,
    },
    Closed: _closed,
}

_READERS: dict[str, Any] = {
    "ready": _read_ready,
    "speech_started": lambda m: SpeechStarted(_samples(m["at_s"])),
    "speech_ended": lambda m: SpeechEnded(_samples(m["at_s"])),
    "partial": _read_partial,
    "final": _read_final,
    "progress": lambda m: AudioProgress(m["received"], m["safe"], m["received_seq"], m["safe_seq"]),
    "warning": _read_warned,
    "switch_format": lambda m: SwitchFormat(Wire(m["format"]), m["reason"]),
    "error": lambda m: Failed(m["code"], m["message"], m["retryable"], m.get("retry_after_s")),
    "closed": _read_closed,
}
