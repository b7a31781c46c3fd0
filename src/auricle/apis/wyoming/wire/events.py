"""Wyoming, the protocol of Home Assistant's voice services, as a dialect.

One object serves one connection, one request after another. Each request has a separate session,
from its first ``audio-chunk`` to the transcript that its ``audio-stop`` requests.

::

    → describe, ping                            ← info, pong                  at any time
    → transcribe, audio-start                   stored
    → audio-chunk                               ``requested``: a session is needed, see ``begin``
    → audio-chunk…                              ← voice-started, transcript-start,
                                                  transcript-chunk…, voice-stopped
    → audio-stop                                ``has_pending_answer`` until ``finish``
                                                ← transcript, transcript-stop

Pauses still end utterances of the session; their finals are joined. Transcript chunks contain only
stable text, which is never retracted; ``transcript`` is authoritative. While a transcript is
pending, the events of the next request stay in the buffer.

If the server ends commands (:mod:`auricle.apis.wyoming.wire.command_end`), the transcript is sent
once a finished turn has text and no speech follows in the audio that the session has processed.
Therefore it needs its ``AudioProgress`` while the dialect ``awaits_silence``. Then ``audio-chunk``
has no effect up to ``audio-stop`` or the next request, but too much of it ends the connection.

An ``error`` instead of a transcript ends the connection, because Home Assistant ignores the error
and waits for a transcript or the end of the connection. For an invalid event that is not essential,
an error is sent and the connection continues.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from auricle.apis.wyoming.wire.command_end import CommandEnd, pauses_for
from auricle.apis.wyoming.wire.framing import EventFramer, WyomingEvent, error_event, pack_event
from auricle.apis.wyoming.wire.transcript import RequestTranscript
from auricle.protocol.dialect import ClosingMessages, End, Reply, Step
from auricle.protocol.fields import convert
from auricle.values.commands import Discard, Stop, StreamParameters, UpdateConfig
from auricle.values.errors import AudioError, BadRequest, RemoteProtocolError, UnsupportedFormat
from auricle.values.events import (
    AudioProgress,
    Closed,
    Failed,
    Final,
    Partial,
    SessionEvent,
    SpeechEnded,
    SpeechStarted,
    Warned,
    Wire,
)
from auricle.values.languages import language_code
from auricle.values.limits import (
    MAX_HOTWORD_CHARACTERS,
    MAX_HOTWORDS,
    MixedChannels,
    ModelName,
    RateHz,
)
from auricle.values.types import SAMPLE_RATE_HZ

MAX_REJECTED = 10
"""Invalid events after which a connection is closed."""
MAX_IGNORED_BYTES = 300 * 2 * SAMPLE_RATE_HZ
"""Audio after an answer that ends a connection: 5 minutes of the usual format."""
MIN_IGNORED_BYTES = 320
"""What a chunk counts at least, so that empty ones do not keep a connection open either."""

_OF_UTTERANCES = frozenset({"transcribe", "audio-start", "audio-chunk", "audio-stop"})


class PcmFormat(msgspec.Struct, frozen=True):
    """The sample format of a chunk; ``width`` is in bytes."""

    rate: RateHz
    width: Annotated[int, Meta(ge=2, le=4)]
    channels: MixedChannels


class Transcribe(msgspec.Struct, frozen=True):
    """The supported fields of a ``transcribe`` event; other fields have no effect."""

    name: ModelName | None = None
    language: str | None = None
    vad_sensitivity: str | None = None
    transcript_names: list[str] | None = None
    transcript_terms: list[str] | None = None
    strict_language: bool | None = None

    @property
    def hotwords(self) -> tuple[str, ...]:
        """Words to expect: names first, within the limits on number and length."""
        words = [*(self.transcript_names or ()), *(self.transcript_terms or ())]
        fitting = [word for word in words if 0 < len(word) <= MAX_HOTWORD_CHARACTERS]
        return tuple(fitting[:MAX_HOTWORDS])


@dataclass(frozen=True, slots=True)
class DescribedModel:
    """What ``describe`` returns of a model.

    Attributes:
        name: Its name.
        engine: Name of its engine.
        languages: Codes of its languages.
        author: Who published it.
        url: Address of its page.
    """

    name: str
    engine: str
    languages: frozenset[str]
    author: str
    url: str


def info_event(
    models: Sequence[DescribedModel], version: str, *, ends_commands: bool = False
) -> str:
    """Return the response to ``describe``.

    Args:
        models: All models, the default first.
        version: Auricle's version.
        ends_commands: Whether the server ends commands.
    """
    common = {"installed": True, "version": version}
    described = [
        {
            **common,
            "name": model.name,
            "description": f"{model.engine} {model.name}",
            "attribution": {"name": model.author, "url": model.url},
            "languages": sorted(model.languages),
        }
        for model in models
    ]
    program = {
        **common,
        "name": "Auricle",
        "attribution": {"name": "Auricle", "url": ""},
        "description": "Self-hosted speech to text that does not go down",
        "models": described,
        "supports_transcript_streaming": True,
        "requires_external_vad": not ends_commands,
        "prefers_auto_gain_enabled": False,
        "prefers_noise_reduction_enabled": False,
    }
    return pack_event("info", {"asr": [program]})


class WyomingDialect:
    """One connection; see the module docstring and :class:`auricle.protocol.dialect.Dialect`.

    Args:
        info: The response to ``describe``, from :func:`info_event`.
        ends_commands: Whether the server ends commands, and does not wait for ``audio-stop``.
        names: Returns the hot words of all commands, after those of the request.

    Attributes:
        wants_stop: Whether the command has ended, so that the next steps end its session.
    """

    is_resumable = False
    idle_timeout_s = None

    def __init__(
        self,
        info: str,
        *,
        ends_commands: bool = False,
        names: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._info = info
        self._ends_commands, self._names = ends_commands, names
        self._command_end: CommandEnd | None = None
        self._is_answered = self._ignores_audio = False
        self._ignored_bytes = 0
        self.wants_stop = False
        self._framer = EventFramer()
        self._pending_event: WyomingEvent | None = None
        self._request = Transcribe()
        self._started_with: dict[str, Any] = {}
        self._format: PcmFormat | None = None
        self._first_ms = 0
        self._transcript = RequestTranscript()
        self._rejected = 0
        self.requested: StreamParameters | None = None
        self.has_pending_answer = False

    @property
    def has_pending_event(self) -> bool:
        """Whether an event is held back, so that no more data should be read."""
        return self._pending_event is not None

    @property
    def awaits_silence(self) -> bool:
        """Whether to report the audio progress after each step, as silence ends the command."""
        end = self._command_end
        return end is not None and end.awaits_silence and not self._is_answered

    @property
    def has_failed(self) -> bool:
        """Whether an error was sent instead of a transcript."""
        return self._transcript.error is not None

    def begin(self) -> None:
        """Start the ``requested`` session; its audio follows with the next steps."""
        self.requested = None

    def finish(self) -> None:
        """Finish the request, so that the next one may begin."""
        self.has_pending_answer, self._format = False, None
        self._command_end, self._is_answered, self.wants_stop = None, False, False
        self._request, self._started_with, self._transcript = Transcribe(), {}, RequestTranscript()

    def put(self, data: bytes) -> None:
        """Buffer received data; ``receive_bytes`` processes it."""
        self._framer.receive_data(data)

    def receive_text(self, text: str) -> Iterable[Step]:
        """Reject text messages; Wyoming is a byte stream.

        Raises:
            RemoteProtocolError: Always.
        """
        raise RemoteProtocolError("Text messages are not supported; Wyoming is a byte stream.")

    def receive_bytes(self, data: bytes) -> Iterable[Step]:
        """Process received data; empty data continues with the event that was held back.

        Raises:
            AuricleError: The connection cannot continue.
        """
        self.put(data)
        while self.requested is None:
            if self.wants_stop:
                yield from self._stop_session()
            event = self._pending_event = self._pending_event or self._framer.next_event()
            if event is None or (self.has_pending_answer and self._has_to_wait(event)):
                return
            yield from self._handle(event)  # without a next call, its step was not executed
            if self.requested is None:
                self._pending_event = None

    def _has_to_wait(self, event: WyomingEvent) -> bool:
        """Return whether an event is for the next request."""
        return event.type in _OF_UTTERANCES and not self._is_ignored(event)

    def _is_ignored(self, event: WyomingEvent) -> bool:
        return self._ignores_audio and event.type in {"audio-chunk", "audio-stop"}

    def _stop_session(self) -> Iterable[Step]:
        self.wants_stop, self.has_pending_answer = False, True
        if self._is_answered:
            yield Discard()
        yield Stop()

    def _handle(self, event: WyomingEvent) -> Iterable[Step]:
        is_ignored = self._is_ignored(event)
        if event.type in _OF_UTTERANCES:
            self._ignores_audio &= event.type == "audio-chunk"
        if is_ignored:
            if self._ignores_audio:
                self._count_ignored(event)
            return
        match event.type:
            case "describe":
                yield Reply((self._info,))
            case "ping":
                text = event.data.get("text")
                yield Reply((pack_event("pong", {"text": text} if isinstance(text, str) else {}),))
            case "transcribe":
                yield from self._handle_transcribe(event)
            case "audio-start":
                self._started_with = _present(event)
            case "audio-chunk":
                yield from self._handle_chunk(event)
            case "audio-stop":
                yield self._stop()
            case _:
                pass  # events of other services and later versions

    def _count_ignored(self, event: WyomingEvent) -> None:
        self._ignored_bytes += max(len(event.payload), MIN_IGNORED_BYTES)
        if self._ignored_bytes > MAX_IGNORED_BYTES:
            raise RemoteProtocolError("Audio continues after the transcript; send audio-stop.")

    def _handle_transcribe(self, event: WyomingEvent) -> Iterable[Step]:
        try:
            request = convert(event.data, Transcribe, "data")
        except BadRequest as error:
            yield self._reject(f"Invalid transcribe event: {error}")
            return
        language = self._language_of(request)
        self._request = msgspec.structs.replace(request, language=language)
        if self._format is not None:
            yield UpdateConfig(
                model=request.name or UNSET,
                language=language,
                strict_language=bool(request.strict_language),
                hotwords=self._hotwords if request.hotwords else UNSET,
            )

    def _language_of(self, request: Transcribe) -> str | None:
        """Return the code of the language; ``None``, with a warning, if it is unknown.

        An error would end the command: Home Assistant takes it for the answer.
        """
        try:
            return language_code(request.language)
        except BadRequest:
            self._transcript.warn("The language is unknown, so it is detected.")
            return None

    def _handle_chunk(self, event: WyomingEvent) -> Iterable[Step]:
        try:
            format = convert(self._started_with | _present(event), PcmFormat, "audio format")
        except BadRequest as error:
            raise UnsupportedFormat(
                "Unsupported audio format; use PCM with rate 8000 to 96000, width 2, 3 or 4, and "
                "1 or 2 channels."
            ) from error
        if len(event.payload) % (format.width * format.channels):
            raise AudioError("audio-chunk must hold whole samples of all channels.")
        if self._format is None:
            self._request_session(format, event)
            return
        if format != self._format:
            raise UnsupportedFormat(
                "All audio-chunk events up to audio-stop must have the same format."
            )
        if event.payload:
            yield _to_pcm16(event.payload, format.width)

    def _request_session(self, format: PcmFormat, event: WyomingEvent) -> None:
        """Request a session; the chunk is processed after ``begin``."""
        self._format = format
        timestamp_ms = event.data.get("timestamp")
        self._first_ms = (
            timestamp_ms if isinstance(timestamp_ms, int) and abs(timestamp_ms) < 2**53 else 0
        )
        self.requested = StreamParameters(
            format=Wire.PCM16,
            sample_rate=format.rate,
            channels=format.channels,
            model=self._request.name or "",
            language=self._request.language,
            strict_language=bool(self._request.strict_language),
            hotwords=self._hotwords,
        )
        if self._ends_commands:
            pauses = pauses_for(self._request.vad_sensitivity)
            self._command_end = CommandEnd(pauses.silence_ms)
            self.requested = msgspec.structs.replace(
                self.requested,
                turn_detection=True,
                turn_limit_ms=pauses.limit_ms,
                endpoint_ms=pauses.silence_ms,
            )

    @property
    def _hotwords(self) -> tuple[str, ...]:
        return (*self._request.hotwords, *self._names())[:MAX_HOTWORDS]

    def _stop(self) -> Step:
        if self._format is None:  # no audio, so the transcript is empty
            texts = tuple(self._transcript.close(self._request.language))
            self.finish()
            return Reply(texts)
        self.has_pending_answer = True
        return Stop()

    def _reject(self, text: str) -> Reply:
        self._rejected += 1
        if self._rejected >= MAX_REJECTED:
            raise RemoteProtocolError(f"Too many invalid events; the limit is {MAX_REJECTED}.")
        return Reply((error_event(BadRequest.code, text),))

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the Wyoming events for a session event; none if the command was answered."""
        if self._is_answered and not isinstance(event, Failed):
            return ()
        match event:
            case SpeechStarted(at_sample):
                self._transcript.started()
                if self._command_end is not None:
                    self._command_end.start_utterance()
                return (pack_event("voice-started", {"timestamp": self._ms(at_sample)}),)
            case SpeechEnded(at_sample):
                return (pack_event("voice-stopped", {"timestamp": self._ms(at_sample)}),)
            case Partial():
                return self._transcript.partial(event, self._request.language)
            case Final():
                if self._command_end is not None:
                    self._command_end.finish_utterance(event)
                texts = self._transcript.final(event, self._request.language)
                return texts if self._transcript.error is None else (*texts, *self._answer())
            case AudioProgress():
                if self._command_end is None:
                    return ()
                if self._command_end.is_reached(event):
                    return self._answer()
                if self._command_end.is_at_limit(event):
                    self._end_command()
                return ()
            case Warned():
                self._transcript.warn(event.message)
                return ()
            case Closed():
                return self._transcript.close(self._request.language)
            case Failed():
                return (error_event(event.code, event.message),)
            case _:
                return ()

    def _answer(self) -> Sequence[str]:
        """End the command and return its transcript, unless ``audio-stop`` has ended it."""
        if self._command_end is None or self._is_answered or self.has_pending_answer:
            return ()
        self._is_answered = True
        self._end_command()
        return self._transcript.close(self._request.language)

    def _end_command(self) -> None:
        if not self.has_pending_answer:
            self.wants_stop = self._ignores_audio = True
            self._ignored_bytes = 0

    def closing_messages(self, end: End) -> ClosingMessages:
        """Return the transcript, if all finals are known, and the error."""
        texts = (
            list(self._transcript.close(self._request.language))
            if self._transcript.is_whole
            else []
        )
        if end.failed is not None:
            texts.extend(self.encode(end.failed))
        return ClosingMessages(tuple(texts), end.close_code, end.how)

    def _ms(self, sample: int) -> int:
        return self._first_ms + sample * 1000 // SAMPLE_RATE_HZ


def _present(event: WyomingEvent) -> dict[str, Any]:
    return {name: value for name, value in event.data.items() if value is not None}


def _to_pcm16(payload: bytes, width: int) -> bytes:
    """Return the upper 16 bits of each sample, little endian."""
    if width == 2:
        return payload
    kept = bytearray(len(payload) // width * 2)
    kept[0::2], kept[1::2] = payload[width - 2 :: width], payload[width - 1 :: width]
    return bytes(kept)
