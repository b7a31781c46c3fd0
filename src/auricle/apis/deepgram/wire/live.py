"""Deepgram's live protocol as a dialect: ``/v1/listen``.

::

    audio … {"type":"Finalize"}             … {"type":"CloseStream"}
      ↓                   ↓                          ↓
    Results, interim …  Results, from_finalize   last Results, Metadata, close 1000

The audio is that of :mod:`.audio_input`, the results of each channel are those of :mod:`.channel`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from auricle.apis.deepgram.wire.audio_input import WIRES, AudioInput, text_in
from auricle.apis.deepgram.wire.channel import ChannelResults
from auricle.apis.deepgram.wire.errors import closing_frame
from auricle.apis.deepgram.wire.query import (
    RAW_ENCODINGS,
    Listen,
    check_hotwords,
)
from auricle.apis.deepgram.wire.results import Json, Metadata, ModelInfo
from auricle.protocol.dialect import ClosingMessages, End, Reply, Step
from auricle.protocol.fields import check_length, decode_json
from auricle.protocol.ignored import MAX_OPTIONS, ignored_options
from auricle.values.commands import Flush, Keepalive, Spare, Stop, StreamParameters, UpdateConfig
from auricle.values.errors import BadRequest
from auricle.values.events import (
    AudioProgress,
    Closed,
    Failed,
    Final,
    Finalized,
    Flushed,
    Partial,
    SessionEvent,
    SpeechEnded,
    SpeechStarted,
    SwitchFormat,
    Warned,
    WarningCode,
)
from auricle.values.types import SAMPLE_RATE_HZ

IDLE_TIMEOUT_S = 10.0
"""Deepgram's idle timeout; clients rely on it and send ``KeepAlive``."""


def parameters_of(query: Listen) -> StreamParameters:
    """Return the stream parameters for a query."""
    return StreamParameters(
        format=WIRES[query.encoding],
        sample_rate=query.sample_rate_hz if query.encoding in RAW_ENCODINGS else SAMPLE_RATE_HZ,
        channels=query.channels,
        multichannel=query.is_multichannel,
        model=query.model,
        language=query.language,
        languages=query.languages,
        strict_language=query.strict_language,
        hotwords=query.hotwords,
        partials=query.wants_interim,
        endpoint_ms=query.endpoint_ms,
        word_timestamps=True,
        speakers=query.speakers is not None,
        redact=query.redact,
        vocabulary=query.vocabulary,
    )


class _Message(msgspec.Struct):
    type: Literal["KeepAlive", "Finalize", "CloseStream", "Configure"]
    keyterms: list[str] | None = None
    features: dict[str, bool] | None = None
    channel: Annotated[int, Meta(ge=0)] | None = None


_HOW_TO_ASK = (
    "Invalid text message; send JSON with type KeepAlive, Finalize, CloseStream or Configure. "
    "keyterms must be a list of strings, features an object of true and false, and channel a whole "
    "number."
)


class DeepgramDialect:
    """One connection; see the module docstring.

    Args:
        query: The parsed query.
        request_id: A UUID that is part of every message.
        created: Time of the request, as text.
        model: The model that transcribes.
    """

    is_resumable = False
    idle_timeout_s = IDLE_TIMEOUT_S

    def __init__(self, query: Listen, *, request_id: str, created: str, model: ModelInfo) -> None:
        self._query = query
        self._request_id = request_id
        self._created = created
        self._model = model
        self._sha256 = hashlib.sha256()
        self._audio = AudioInput(
            query.encoding, query.channels, is_multichannel=query.is_multichannel
        )
        self._warnings = list(query.warnings)
        self._channels = [
            ChannelResults(query, request_id=request_id, model=model, channel=channel)
            for channel in range(query.separate_channels)
        ]

    # Client messages.

    def receive_text(self, text: str) -> Iterable[Step]:
        """Return the steps for a text message.

        Raises:
            BadRequest: The message is invalid.
        """
        check_length(text)
        try:
            message = decode_json(text, _Message, "message")
        except BadRequest:
            raise BadRequest(_HOW_TO_ASK) from None
        match message.type:
            case "KeepAlive":
                return (Keepalive(),)
            case "Finalize":
                return (Flush(self._channel_of(message), Spare.ONSET),)
            case "CloseStream":
                return self._stop()
            case "Configure":
                return self._configure(message)

    def _channel_of(self, message: _Message) -> int | None:
        """Return the channel that a ``Finalize`` names; ``None`` for all of them."""
        count = len(self._channels)
        if count == 1 or message.channel is None:
            return None
        if message.channel >= count:
            raise BadRequest(f"channel must be 0 to {count - 1}.")
        return message.channel

    def receive_bytes(self, data: bytes) -> Iterable[Step]:
        """Receive audio; an empty message is an older form of ``CloseStream``.

        Text messages sent as binary are accepted, because some clients send them so.

        Raises:
            AudioError: The audio cannot be decoded.
        """
        if not data:
            return self._stop()
        if (text := text_in(data)) is not None and _is_message(text):
            return self.receive_text(text)
        self._sha256.update(data)
        return self._audio.receive(data)

    def _stop(self) -> Iterable[Step]:
        return (*self._audio.finish(), Stop())

    def _configure(self, message: _Message) -> Iterable[Step]:
        self._set_features(message.features or {})
        if message.keyterms is None:
            return (self._reply({"type": "ConfigureSuccess", "request_id": self._request_id}),)
        try:
            hotwords = check_hotwords(message.keyterms)
        except BadRequest as error:
            failure = {
                "type": "ConfigureFailure",
                "request_id": self._request_id,
                "code": "CONFIGURE_KEYTERM_LIMIT_EXCEEDED",
                "description": str(error),
            }
            return (self._reply(failure),)
        success = {
            "type": "ConfigureSuccess",
            "request_id": self._request_id,
            "keyterms": message.keyterms,
        }
        return UpdateConfig(hotwords=hotwords), self._reply(success)

    def _set_features(self, features: Mapping[str, bool]) -> None:
        if (writes_numerals := features.get("numerals")) is not None:
            for channel in self._channels:
                channel.write_numerals(writes_numerals)
        options = [(name, str(value)) for name, value in features.items()]
        warnings = ignored_options(options, {"numerals"})
        self._warnings += [each for each in warnings if each not in self._warnings][:MAX_OPTIONS]

    def _reply(self, message: Json) -> Reply:
        return Reply((_text(message),))

    # Session events.

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the messages for an event."""
        return [_text(message) for message in self._messages_of(event)]

    def _messages_of(self, event: SessionEvent) -> Iterable[Json]:
        match event:
            case SpeechStarted() | Partial() | SpeechEnded() | Final() | Flushed() | Finalized():
                return self._channels[event.channel or 0].messages_of(event)
            case AudioProgress():
                return [
                    message
                    for channel in self._channels
                    for message in channel.messages_of_progress(event)
                ]
            case Warned(WarningCode.SIMILAR_CHANNELS | WarningCode.LANGUAGE_IMPROBABLE, message):
                if message not in self._warnings:
                    self._warnings.append(message)
            case SwitchFormat():
                self._audio.is_undecodable = True
            case Closed():
                return (self._metadata(event.audio_samples),)
            case Failed():
                return ({"type": "Error", "variant": "SchemaError", "description": event.message},)
            case _:
                pass
        return ()

    def _metadata(self, duration_samples: int) -> Json:
        sha256 = self._sha256.hexdigest()
        metadata = Metadata(
            self._request_id,
            sha256,
            self._created,
            self._model,
            tuple(self._warnings),
            channels=len(self._channels),
        )
        return {"type": "Metadata", **metadata.body(duration_samples)}

    def closing_messages(self, end: End) -> ClosingMessages:
        """Return the close code and reason in Deepgram's format."""
        return closing_frame(end)


def _is_message(text: str) -> bool:
    try:
        decode_json(text, _Message, "message")
    except BadRequest:
        return False
    return True


def _text(message: Json) -> str:
    return msgspec.json.encode(message).decode()
