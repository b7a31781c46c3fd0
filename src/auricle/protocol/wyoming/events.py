"""Wyoming, the protocol of Home Assistant's voice services, as a dialect. Pure.

One object serves one connection, utterance after utterance: each has a session of its own, from its
first ``audio-chunk`` to the transcript that its ``audio-stop`` asks for.

::

    → describe, ping                            ← info, pong                  at any time
    → transcribe, audio-start                   remembered
    → audio-chunk                               ``wanted``: a session is needed, see ``begin``
    → audio-chunk…                              ← voice-started, transcript-start,
                                                  transcript-chunk…, voice-stopped
    → audio-stop                                ``is_owing`` until ``finish``
                                                ← transcript, transcript-stop

Pauses end utterances of the session all the same; what they say is joined. Chunks of a transcript
are firm text only and are never taken back; ``transcript`` has the last word. While one is owed the
events of a next utterance are left where they are.

An ``error`` instead of a transcript ends the connection: Home Assistant overhears it, and waits for
a transcript or for the end. An event that can be done without is told as an error, and all goes on.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from auricle.errors import AudioError, BadRequest, RemoteProtocolError, UnsupportedFormat
from auricle.events import (
    Closed,
    Failed,
    Final,
    Partial,
    SessionEvent,
    SpeechEnded,
    SpeechStarted,
    Wire,
)
from auricle.languages import LANGUAGES, SPACELESS_LANGUAGES, language_code
from auricle.protocol.dialect import ClosingMessages, End, Reply, Step, UpdateConfig
from auricle.protocol.native.stream import MAX_HOTWORDS, Stop, StreamParameters
from auricle.protocol.wyoming.framing import EventFramer, WyomingEvent, pack_event
from auricle.types import SAMPLE_RATE_HZ

MAX_COMPLAINTS = 10
"""So many events of one connection may make no sense; then it is closed."""
MAX_WORD_CHARACTERS = 100

_OF_UTTERANCES = frozenset({"transcribe", "audio-start", "audio-chunk", "audio-stop"})


class AudioFormat(msgspec.Struct, frozen=True):
    """How the samples of a chunk are packed; ``width`` is in bytes."""

    rate: Annotated[int, Meta(ge=8000, le=96_000)]
    width: Annotated[int, Meta(ge=2, le=4)]
    channels: Annotated[int, Meta(ge=1, le=2)]


class Transcribe(msgspec.Struct, frozen=True):
    """What a client may say of an utterance before it: all else there is has no effect here."""

    language: str | None = None
    transcript_names: list[str] | None = None
    transcript_terms: list[str] | None = None

    @property
    def hotwords(self) -> tuple[str, ...]:
        """Words to expect: names come first, and what is too much is left out."""
        words = [*(self.transcript_names or ()), *(self.transcript_terms or ())]
        fitting = [word for word in words if 0 < len(word) <= MAX_WORD_CHARACTERS]
        return tuple(fitting[:MAX_HOTWORDS])


def info_event(model: str, version: str) -> str:
    """Return the answer to ``describe``; it needs no engine.

    Args:
        model: The model's name; one that ends with ``.en`` knows English only.
        version: Auricle's.
    """
    languages = ["en"] if model.endswith(".en") else sorted(LANGUAGES)
    common = {"installed": True, "version": version}
    described = {
        **common,
        "name": model,
        "description": f"Whisper {model}",
        "attribution": {"name": "OpenAI", "url": "https://github.com/openai/whisper"},
        "languages": languages,
    }
    program = {
        **common,
        "name": "Auricle",
        "attribution": {"name": "Auricle", "url": ""},
        "description": "Self-hosted speech to text that does not go down",
        "models": [described],
        "supports_transcript_streaming": True,
        "requires_external_vad": True,
        "prefers_auto_gain_enabled": False,
        "prefers_noise_reduction_enabled": False,
    }
    return pack_event("info", {"asr": [program]})


def error_event(code: str, text: str) -> str:
    """Return the event that tells an error."""
    return pack_event("error", {"text": text, "code": code})


class WyomingDialect:
    """See the module, and :class:`auricle.protocol.dialect.Dialect`.

    Args:
        info: The answer to ``describe``, from :func:`info_event`.
    """

    is_resumable = False
    idle_timeout_s = None

    def __init__(self, info: str) -> None:
        self._info = info
        self._framer = EventFramer()
        self._held: WyomingEvent | None = None
        self._request = Transcribe()
        self._started_with: dict[str, Any] = {}
        self._format: AudioFormat | None = None
        self._first_ms = 0
        self._words = _Words()
        self._complaints = 0
        self.wanted: StreamParameters | None = None
        self.is_owing = False

    @property
    def is_holding(self) -> bool:
        """Whether the next event has to wait, and so nothing more should be read."""
        return self._held is not None

    @property
    def has_failed(self) -> bool:
        """Whether an error was told where a transcript was asked for."""
        return self._words.error is not None

    def begin(self) -> None:
        """The session that was ``wanted`` is there: its audio comes with the next steps."""
        self.wanted = None

    def finish(self) -> None:
        """The utterance is over; the next one may begin."""
        self.is_owing, self._format = False, None
        self._request, self._started_with, self._words = Transcribe(), {}, _Words()

    def put(self, data: bytes) -> None:
        """Take what came over the wire; nothing is done with it before ``receive_bytes``."""
        self._framer.receive_data(data)

    def receive_text(self, text: str) -> Iterable[Step]:
        """Refuse a message: a byte stream has none."""
        raise RemoteProtocolError("Wyoming is a stream of bytes.")

    def receive_bytes(self, data: bytes) -> Iterable[Step]:
        """Take what came over the wire, or nothing to go on with what was held.

        Raises:
            AuricleError: Nothing more can be taken over this connection.
        """
        self.put(data)
        while self.wanted is None:
            event = self._held = self._held or self._framer.next_event()
            if event is None or (self.is_owing and event.type in _OF_UTTERANCES):
                return
            yield from self._take(event)  # if nobody comes back for more, its step was not taken
            if self.wanted is None:
                self._held = None

    def _take(self, event: WyomingEvent) -> Iterable[Step]:
        match event.type:
            case "describe":
                yield Reply((self._info,))
            case "ping":
                text = event.data.get("text")
                yield Reply((pack_event("pong", {"text": text} if isinstance(text, str) else {}),))
            case "transcribe":
                yield from self._take_request(event)
            case "audio-start":
                self._started_with = _given(event)
            case "audio-chunk":
                yield from self._take_chunk(event)
            case "audio-stop":
                yield self._stop()
            case _:
                pass  # other services' events, and those of later versions

    def _take_request(self, event: WyomingEvent) -> Iterable[Step]:
        try:
            request = msgspec.convert(event.data, Transcribe)
            language = language_code(request.language)
        except (msgspec.ValidationError, BadRequest) as error:
            yield self._complain(f"transcribe can't be used: {str(error).rstrip('.')}.")
            return
        self._request = msgspec.structs.replace(request, language=language)
        if self._format is not None:
            yield UpdateConfig(language=language, hotwords=request.hotwords or UNSET)

    def _take_chunk(self, event: WyomingEvent) -> Iterable[Step]:
        try:
            found = msgspec.convert(self._started_with | _given(event), AudioFormat)
        except msgspec.ValidationError as error:
            raise UnsupportedFormat(
                "A chunk is PCM of 8000 to 96000 Hz (rate), 16, 24 or 32 bits (width 2, 3 or 4), "
                "one or two channels."
            ) from error
        if len(event.payload) % (found.width * found.channels):
            raise AudioError("A chunk has to hold whole samples of all channels.")
        if self._format is None:
            self._want(found, event)
            return
        if found != self._format:
            raise UnsupportedFormat("All chunks of an utterance need the same format.")
        if event.payload:
            yield _to_pcm16(event.payload, found.width)

    def _want(self, found: AudioFormat, event: WyomingEvent) -> None:
        """Ask for a session; the chunk is taken once it is there."""
        self._format = found
        given_ms = event.data.get("timestamp")
        self._first_ms = given_ms if isinstance(given_ms, int) and abs(given_ms) < 2**53 else 0
        self.wanted = StreamParameters(
            format=Wire.PCM16,
            sample_rate=found.rate,
            channels=found.channels,
            language=self._request.language,
            hotwords=self._request.hotwords,
        )

    def _stop(self) -> Step:
        if self._format is None:  # no audio at all: nothing was said
            texts = tuple(self._words.close(self._request.language))
            self.finish()
            return Reply(texts)
        self.is_owing = True
        return Stop()

    def _complain(self, text: str) -> Reply:
        self._complaints += 1
        if self._complaints >= MAX_COMPLAINTS:
            raise RemoteProtocolError("Too many events made no sense.")
        return Reply((error_event(BadRequest.code, text),))

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the events that tell an event."""
        match event:
            case SpeechStarted(at_sample):
                self._words.started()
                return (pack_event("voice-started", {"timestamp": self._ms(at_sample)}),)
            case SpeechEnded(at_sample):
                return (pack_event("voice-stopped", {"timestamp": self._ms(at_sample)}),)
            case Partial():
                return self._words.partial(event, self._request.language)
            case Final():
                return self._words.final(event, self._request.language)
            case Closed():
                return self._words.close(self._request.language)
            case Failed():
                return (error_event(event.code, event.message),)
            case _:
                return ()

    def closing_messages(self, end: End) -> ClosingMessages:
        """Send the transcript of what was said, if all of it is known, and the error."""
        texts = list(self._words.close(self._request.language)) if self._words.is_whole else []
        if end.failed is not None:
            texts.extend(self.encode(end.failed))
        return ClosingMessages(tuple(texts), end.close_code, end.how)

    def _ms(self, sample: int) -> int:
        return self._first_ms + sample * 1000 // SAMPLE_RATE_HZ


@dataclass(slots=True)
class _Utterance:
    """Between its start and its final: what is firm, and what of that was told."""

    stable: str = ""
    told: str = ""


class _Words:
    """What was said between two ``audio-stop``."""

    def __init__(self) -> None:
        self.error: str | None = None
        self._text = ""
        self._glue = ""
        self._language: str | None = None
        self._has_started = self._has_closed = False
        self._utterances: deque[_Utterance] = deque()  # whose finals are to come

    @property
    def is_whole(self) -> bool:
        """Whether there is text to send, and every final that it consists of."""
        has_text = bool(self._text) and not self._has_closed
        return has_text and self.error is None and not self._utterances

    def started(self) -> None:
        """An utterance begins."""
        self._utterances.append(_Utterance())

    def partial(self, event: Partial, language: str | None) -> Sequence[str]:
        """The open utterance may be known better."""
        self._utterances[-1].stable = event.stable
        return self._chunks(language)

    def final(self, event: Final, language: str | None) -> Sequence[str]:
        """The oldest utterance is known."""
        utterance = self._utterances[0]
        told: list[str] = []
        if event.text.startswith(utterance.told):
            utterance.stable = event.text
            told += self._chunks(language)
        self._utterances.popleft()
        self.error = self.error or event.error
        self._language = self._language or event.language
        if event.text:
            self._text += self._glue + event.text
        if event.text or utterance.told:
            self._glue = "" if event.language in SPACELESS_LANGUAGES else " "
        if self._utterances:
            told += self._chunks(language)
        return told

    def close(self, language: str | None) -> Sequence[str]:
        """No more is said. Half of a command is worse than none."""
        self._has_closed = True
        if self.error is not None:
            return (error_event(self.error, "This speech could not be recognised; say it again."),)
        spoken = language or self._language
        transcript = {"text": self._text} | ({} if spoken is None else {"language": spoken})
        told = () if self._has_started else (self._start(language),)
        return (*told, pack_event("transcript", transcript), pack_event("transcript-stop"))

    def _chunks(self, language: str | None) -> Sequence[str]:
        """Tell what is new of the oldest utterance; later ones wait for their turn."""
        utterance = self._utterances[0]
        chunk = utterance.stable[len(utterance.told) :]
        if not chunk:
            return ()
        if not utterance.told:
            chunk = self._glue + chunk
        utterance.told = utterance.stable
        told = pack_event("transcript-chunk", {"text": chunk})
        return (told,) if self._has_started else (self._start(language), told)

    def _start(self, language: str | None) -> str:
        self._has_started = True
        return pack_event("transcript-start", {} if language is None else {"language": language})


def _given(event: WyomingEvent) -> dict[str, Any]:
    return {name: value for name, value in event.data.items() if value is not None}


def _to_pcm16(payload: bytes, width: int) -> bytes:
    """Keep the upper 16 bits of each sample, little endian."""
    if width == 2:
        return payload
    kept = bytearray(len(payload) // width * 2)
    kept[0::2], kept[1::2] = payload[width - 2 :: width], payload[width - 1 :: width]
    return bytes(kept)
