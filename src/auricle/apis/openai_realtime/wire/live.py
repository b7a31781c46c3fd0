"""OpenAI's Realtime transcription as a dialect, with the GA events and the beta events.

::

    session.update                 input_audio_buffer.append … append … commit | clear
          ↓                                             ↓
    session.updated    speech_started → delta … → speech_stopped, committed, item → completed

Each commit creates an item (:mod:`.items`). Each item gets one ``completed`` or ``failed``
event with its ``item_id``, possibly after later items have started. Clients disconnect on any
``error``, so errors are sent only for requests that cannot be fulfilled, and none of them closes
the connection.
"""

import binascii
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from auricle.apis.openai_realtime.wire.config import ConfigError, RealtimeConfig, decode_session
from auricle.apis.openai_realtime.wire.items import Items, ServerEvent
from auricle.protocol.dialect import ClosingMessages, Companded, End, Reply, Step
from auricle.protocol.fields import InvalidJson, decode_json
from auricle.protocol.json_audio import is_longer_outside_audio
from auricle.values.commands import Discard, Flush, Spare
from auricle.values.errors import BadRequest
from auricle.values.events import (
    Discarded,
    Failed,
    Final,
    Flushed,
    Partial,
    Ready,
    SessionEvent,
    SpeakerRevision,
    SpeechEnded,
    SpeechStarted,
    Warned,
)
from auricle.values.limits import MAX_MESSAGE_CHARACTERS

IDLE_TIMEOUT_S = 600.0
"""Clients with manual commits send nothing between two turns, not even silence."""

PERIODIC_S = 2.0
"""Maximum audio between two commits that are made at an interval, not at the ends of turns. Jigasi
commits every 50 frames of 20 ms. A commit so soon after another, or after the start, spares speech
without a pause; after as much audio as the one before, it spares any utterance."""

SLICE_CHARACTERS = 64 * 1024
"""A large message is decoded in slices of about one second of PCM; a multiple of 4."""

_INVALID = "invalid_request_error"
_SERVER = "server_error"
_SERVER_ERRORS = frozenset(
    {"internal", "queue_full", "no_worker_ready", "model_unavailable", "draining", "poison_job"}
)

_EVENTS = (
    "session.update",
    "transcription_session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
)


_TOO_LONG = f"Event is too long; send at most {MAX_MESSAGE_CHARACTERS} characters besides audio."
_NOTHING = msgspec.Raw()


class _ClientEvent(msgspec.Struct):
    type: str | None = None
    event_id: str | None = None
    audio: msgspec.Raw = _NOTHING
    session: msgspec.Raw = _NOTHING


class RealtimeDialect:
    """One connection; see the module docstring.

    Args:
        name: The session name; part of all IDs.
        config: The initial configuration.
        is_beta: Whether the client expects beta events.
    """

    is_resumable = False
    idle_timeout_s = IDLE_TIMEOUT_S

    def __init__(self, name: str, config: RealtimeConfig, *, is_beta: bool = False) -> None:
        self._name = name
        self._config = self._first_config = config
        self._is_beta = is_beta
        self._items = Items(name)
        self._uncommitted_bytes = self._committed_bytes = 0
        self._events_sent = 0

    # Client events.

    def receive_text(self, text: str) -> Iterator[Step]:
        """Yield the steps for a client event; errors are sent and never close the connection."""
        if is_longer_outside_audio(text, MAX_MESSAGE_CHARACTERS):  # before parsing
            yield self._error("string_above_max_length", _TOO_LONG)
            return
        try:
            event = decode_json(text, _ClientEvent, "event")
        except BadRequest as error:
            code = "invalid_json" if isinstance(error, InvalidJson) else "invalid_type"
            yield self._error(code, str(error))
            return
        yield from self._handle(event, len(text))

    def receive_bytes(self, data: bytes) -> Iterable[Step]:
        """Return an error: audio must be sent as base64 text."""
        message = "Unexpected binary message; send audio as base64 in input_audio_buffer.append."
        return (self._error("invalid_type", message),)

    def _handle(self, event: _ClientEvent, characters: int) -> Iterator[Step]:
        if event.type == "input_audio_buffer.append":
            yield from self._append(event)
        elif characters > MAX_MESSAGE_CHARACTERS:
            yield self._error("string_above_max_length", _TOO_LONG, event)
        elif event.type in ("session.update", "transcription_session.update"):
            yield from self._update(event)
        elif event.type == "input_audio_buffer.commit":
            yield self._commit(event)
        elif event.type == "input_audio_buffer.clear":
            self._uncommitted_bytes = self._committed_bytes = 0
            yield Discard()
        elif event.type is None:
            yield self._error(
                "missing_required_parameter", "type is required.", event, param="type"
            )
        else:
            yield self._error(
                "invalid_value", f"type must be one of {', '.join(_EVENTS)}.", event, "type"
            )

    def _append(self, event: _ClientEvent) -> Iterator[Step]:
        law = self._config.law
        if event.audio is _NOTHING:
            yield self._error("missing_required_parameter", "audio is required.", event, "audio")
            return
        try:
            for data in _decode_base64(event.audio):
                self._uncommitted_bytes += len(data)
                yield data if law is None else Companded(data, law)
        except ValueError:
            message = "audio must be a base64 string; the rest of it was dropped."
            yield self._error("invalid_value", message, event, "audio")

    def _commit(self, event: _ClientEvent) -> Step:
        if not self._uncommitted_bytes:
            return self._error(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: the buffer is empty.",
                event,
            )
        before, self._committed_bytes = self._committed_bytes, self._uncommitted_bytes
        self._uncommitted_bytes = 0
        if self._config.turn_detection is not None:
            return Flush()
        if self._committed_bytes > self._config.bytes_in(PERIODIC_S):
            return Flush()
        return Flush(spares=Spare.UTTERANCE if self._committed_bytes == before else Spare.SPEECH)

    def _update(self, event: _ClientEvent) -> Iterator[Step]:
        is_beta = event.type == "transcription_session.update"
        self._is_beta |= is_beta
        if event.session is _NOTHING:
            yield self._error(
                "missing_required_parameter", "session is required.", event, "session"
            )
            return
        try:
            config = self._config.merged(decode_session(event.session))
        except ConfigError as error:
            yield self._error(error.reason, str(error), event, error.field)
            return
        yield config.update_command()
        self._config = config  # unless the session has rejected it
        yield Reply((self._session("updated", config, is_beta=is_beta),))

    # Session events.

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the server events for a session event; marks have none.

        A warning is a field of the next ``completed`` event.
        """
        detects_turns = self._config.turn_detection is not None
        match event:
            case Ready():
                created = self._session("created", self._first_config, is_beta=self._is_beta)
                return (created,)
            case SpeechStarted():
                events = self._items.started(event, detects_turns=detects_turns)
            case Partial():
                events = self._items.partial(event)
            case SpeechEnded():
                events = self._items.ended(event, detects_turns=detects_turns)
            case Final():
                events = self._items.final(event)
            case SpeakerRevision():
                events = self._items.revised(event)
            case Flushed():
                events = self._items.flushed(event)
            case Discarded():
                events = self._items.discarded()
            case Warned():
                self._items.warn(event.message)
                return ()
            case Failed():
                return (self._failure(event),)
            case _:
                return ()
        return self._messages(events)

    def closing_messages(self, end: End) -> ClosingMessages:
        """Complete uncommitted speech, then send the error and close with its code."""
        texts = self._messages(self._items.close())
        if end.failed is not None:
            texts.append(self._failure(end.failed))
        return ClosingMessages(tuple(texts), end.close_code, end.how)

    # Messages.

    def _messages(self, events: list[ServerEvent]) -> list[str]:
        if self._is_beta:  # the beta has one event instead of these two
            events = [
                _as_in_beta(event) for event in events if event["type"] != "conversation.item.done"
            ]
        return [self._event(**event) for event in events]

    def _session(self, verb: str, config: RealtimeConfig, *, is_beta: bool) -> str:
        name = f"sess_{self._name}"
        if is_beta:
            return self._event(f"transcription_session.{verb}", session=config.beta_session(name))
        return self._event(f"session.{verb}", session=config.session(name))

    def _failure(self, failed: Failed) -> str:
        kind = _SERVER if failed.code in _SERVER_ERRORS else _INVALID
        return self._event("error", error=_error_fields(kind, failed.code, failed.message))

    def _error(
        self,
        code: str,
        message: str,
        event: _ClientEvent | None = None,
        param: str | None = None,
    ) -> Reply:
        event_id = None if event is None or event.event_id is None else event.event_id[:200]
        return Reply(
            (self._event("error", error=_error_fields(_INVALID, code, message, param, event_id)),)
        )

    def _event(self, type: str, **fields: Any) -> str:
        self._events_sent += 1
        event_id = f"event_{self._name}_{self._events_sent}"
        return msgspec.json.encode({"type": type, "event_id": event_id, **fields}).decode()


def _error_fields(
    kind: str, code: str, message: str, param: str | None = None, event_id: str | None = None
) -> dict[str, Any]:
    return {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id}


def _as_in_beta(events: ServerEvent) -> ServerEvent:
    is_added = events["type"] == "conversation.item.added"
    return events | {"type": "conversation.item.created"} if is_added else events


def _decode_base64(audio: msgspec.Raw) -> Iterator[bytes]:
    """Decode a JSON string of base64 in slices.

    Raises:
        ValueError: The slice is not valid base64.
    """
    raw = memoryview(audio)
    if bytes(raw[:1]) != b'"':
        raise ValueError("not a string")
    text = raw[1:-1]
    if b"\\" in bytes(text):  # some JSON encoders escape slashes
        text = memoryview(msgspec.json.decode(audio, type=str).encode("ascii"))
    for at in range(0, len(text), SLICE_CHARACTERS):
        yield binascii.a2b_base64(text[at : at + SLICE_CHARACTERS], strict_mode=True)
