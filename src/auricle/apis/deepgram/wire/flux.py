"""Deepgram's protocol for voice agents as a dialect: Flux, ``/v2/listen``.

::

    audio …                 {"type":"ForceEndTurn"}    {"type":"CloseStream"}
      ↓                              ↓                          ↓
    Connected, TurnInfo …   TurnInfo, EndOfTurn        last EndOfTurn, close 1000

Turns are those of :mod:`.flux_turns`. Clients disconnect on ``Error``, so that it is sent only
before the server closes the connection; everything else that is wrong is a ``Warning``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

import msgspec

from auricle.apis.deepgram.wire.audio_input import AudioInput, text_in
from auricle.apis.deepgram.wire.errors import closing_frame
from auricle.apis.deepgram.wire.flux_query import ChangedThresholds, ListenTurns
from auricle.apis.deepgram.wire.flux_turns import Turns
from auricle.apis.deepgram.wire.query import check_hotwords, message_filters
from auricle.apis.deepgram.wire.results import Json
from auricle.protocol.dialect import ClosingMessages, End, Reply, Step
from auricle.protocol.fields import check_length, decode_json
from auricle.values.commands import Flush, Keepalive, Stop, UpdateConfig
from auricle.values.errors import BadRequest
from auricle.values.events import (
    AudioProgress,
    Closed,
    EagerFinal,
    Failed,
    Final,
    Flushed,
    Partial,
    Ready,
    SessionEvent,
    SpeechEnded,
    SpeechStarted,
    SwitchFormat,
    TurnResumed,
    Warned,
)


class _Message(msgspec.Struct):
    type: Literal["Configure", "ForceEndTurn", "CloseStream", "KeepAlive"]


class _Configure(msgspec.Struct):
    thresholds: ChangedThresholds | None = None
    keyterms: str | list[str] | None = None
    language_hints: str | list[str] | None = None
    numerals: bool | None = None


_HOW_TO_ASK = (
    "Invalid text message; send JSON with type Configure, ForceEndTurn, CloseStream or KeepAlive."
)
_UNPARSABLE = "UNPARSABLE_CLIENT_MESSAGE"  # Deepgram's code


class FluxDialect:
    """One connection; see the module docstring.

    Args:
        query: The parsed query.
        request_id: A UUID that is part of every message.
    """

    is_resumable = False
    idle_timeout_s = None

    def __init__(self, query: ListenTurns, *, request_id: str) -> None:
        self._query = query
        self._request_id = request_id
        self._sent = 0
        self._audio = AudioInput(query.encoding)
        self._turns = Turns(query)
        self._is_configuring = False

    # Client messages.

    def receive_text(self, text: str) -> Iterable[Step]:
        """Return the steps for a text message; an invalid one is answered by a ``Warning``."""
        try:
            check_length(text)
            message = decode_json(text, _Message, "message")
        except BadRequest:
            return (self._reply("Warning", code=_UNPARSABLE, description=_HOW_TO_ASK),)
        match message.type:
            case "Configure":
                return self._configure(text)
            case "ForceEndTurn":
                return (Flush(),)
            case "CloseStream":
                return (Stop(),)
            case "KeepAlive":
                return (Keepalive(),)

    def receive_bytes(self, data: bytes) -> Iterable[Step]:
        """Receive audio; text messages sent as binary are accepted.

        Raises:
            AudioError: The audio cannot be decoded.
        """
        if not data:
            return ()
        if (text := text_in(data)) is not None and _is_message(text):
            return self.receive_text(text)
        return self._audio.receive(data)

    def _configure(self, text: str) -> Iterable[Step]:
        """Change the values that are given, all of them or none."""
        query = self._query
        try:
            message = decode_json(text, _Configure, "Configure")
            if message.thresholds is not None:
                query = replace(query, thresholds=message.thresholds.applied_to(query.thresholds))
            if message.keyterms is not None:
                query = replace(query, keyterms=check_hotwords(_listed(message.keyterms)))
            if message.language_hints is not None:
                query = query.with_hints(_listed(message.language_hints))
            if message.numerals is not None:
                message_filters(writes_numerals=message.numerals)
                query = replace(query, writes_numerals=message.numerals)
        except BadRequest as error:
            return (Reply(self._encoded([_configure_failure(str(error))])),)
        command = UpdateConfig(
            hotwords=query.keyterms,
            language=query.language,
            languages=query.languages,
            turns=query.thresholds.turns,
        )
        return self._applied(command, query)

    def _applied(self, command: UpdateConfig, query: ListenTurns) -> Iterator[Step]:
        self._is_configuring = True
        yield command
        self._is_configuring = False
        self._query = query  # unless the session has rejected it
        self._turns.timeout_ms = query.thresholds.eot_timeout_ms
        self._turns.filters = message_filters(writes_numerals=query.writes_numerals)
        hints = {"language_hints": query.language_hints} if query.detects_language else {}
        yield self._reply(
            "ConfigureSuccess",
            thresholds=query.thresholds,
            keyterms=query.keyterms,
            numerals=query.writes_numerals,
            **hints,
        )

    def _reply(self, kind: str, **fields: object) -> Reply:
        return Reply(self._encoded([{"type": kind, **fields}]))

    # Session events.

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the messages for an event."""
        return self._encoded(self._messages_of(event))

    def _messages_of(self, event: SessionEvent) -> Iterator[Json]:
        match event:
            case Ready():
                yield {"type": "Connected"}
                for warning in self._query.warnings:
                    yield _warning("UNSUPPORTED_PARAMETER", warning)
            case (
                SpeechStarted()
                | Partial()
                | EagerFinal()
                | TurnResumed()
                | SpeechEnded()
                | Final()
                | Flushed()
                | AudioProgress()
            ):
                yield from self._turn_infos(self._turns.messages_of(event))
                if isinstance(event, Final) and event.error is not None:
                    yield _warning(event.error.upper(), "Speech was not transcribed.")
            case Warned(code, message):
                yield _warning(code.value.upper(), message)
            case SwitchFormat():
                self._audio.is_undecodable = True
            case Closed():
                yield from self._turn_infos(self._turns.close())
            case Failed() if self._is_configuring:
                self._is_configuring = False
                yield _configure_failure(event.message)
            case Failed():
                yield _warning(event.code.upper(), event.message)
            case _:
                pass

    def _turn_infos(self, messages: Iterable[Json]) -> Iterator[Json]:
        hints = self._query.language_hints
        for message in messages:
            yield {
                "type": "TurnInfo",
                **message,
                **({"languages_hinted": hints} if hints else {}),
            }

    def closing_messages(self, end: End) -> ClosingMessages:
        """End the open turn, then report the error, in Deepgram's format."""
        messages = list(self._turn_infos(self._turns.close()))
        if end.failed is not None:
            failed = end.failed
            messages.append(
                {"type": "Error", "code": failed.code.upper(), "description": failed.message}
            )
        return closing_frame(end, tuple(self._encoded(messages)))

    def _encoded(self, messages: Iterable[Json]) -> Iterator[str]:
        """Number the messages as they are sent, and encode them."""
        for message in messages:
            common = {"request_id": self._request_id, "sequence_id": self._sent}
            self._sent += 1
            yield msgspec.json.encode(message | common).decode()


def _warning(code: str, description: str) -> Json:
    return {"type": "Warning", "code": code, "description": description}


def _configure_failure(description: str) -> Json:
    code = "INVALID_CONFIGURATION"
    return {
        "type": "ConfigureFailure",
        "code": code,
        "error_code": code,
        "description": description,
    }


def _listed(words: str | list[str]) -> list[str]:
    return [words] if isinstance(words, str) else words


def _is_message(text: str) -> bool:
    try:
        decode_json(text, _Message, "message")
    except BadRequest:
        return False
    return True
