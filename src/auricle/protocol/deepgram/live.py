"""Deepgram's live protocol as a dialect: ``/v1/listen``.

::

    audio … {"type":"Finalize"}             … {"type":"CloseStream"}
      ↓                   ↓                          ↓
    Results, interim …  Results, from_finalize   last Results, Metadata, close 1000

Each utterance has one ``Results`` with ``is_final``. ``speech_final`` means that silence or a
``Finalize`` ended it; it is false if the speaker continues, and without ``Finalize`` always false
with ``endpointing=false``. A ``Finalize`` is answered by the last result of the speech before it,
or by an empty result.

With ``interim_results``, every second of silence has an empty interim ``Results`` that covers the
audio since the previous result, because some clients measure silence by the sum of the durations.

Without ``encoding``, the format is detected from the first bytes: Ogg, WebM or WAV.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from auricle.audio_formats import AudioFormat
from auricle.commands import Configure, Flush, Keepalive, Stop, StreamParameters, UpdateConfig
from auricle.errors import AudioError, BadRequest, IdleTimeout
from auricle.events import (
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
    Wire,
)
from auricle.limits import MAX_RATE_HZ, MIN_RATE_HZ
from auricle.protocol.deepgram.query import (
    ALAW,
    LINEAR16,
    MULAW,
    OGG_OPUS,
    OPUS,
    RAW_ENCODINGS,
    Listen,
    check_hotwords,
)
from auricle.protocol.deepgram.results import (
    INTERIM_CONFIDENCE,
    Json,
    Metadata,
    ModelInfo,
    alternative,
    approximate_words,
    seconds,
)
from auricle.protocol.detect import detect
from auricle.protocol.dialect import ClosingMessages, Companded, End, Law, Reply, Step
from auricle.protocol.fields import check_length, decode_json
from auricle.protocol.wav import A_LAW, MU_LAW, PCM, parse_wav_head
from auricle.types import SAMPLE_RATE_HZ, SAMPLES_PER_MS

IDLE_TIMEOUT_S = 10.0
"""Deepgram's idle timeout; clients rely on it and send ``KeepAlive``."""

SIGNATURE_BYTES = 12
"""Bytes needed to detect the container."""

MIN_SILENCE_SAMPLES = SAMPLE_RATE_HZ // 2
"""Minimum duration of an empty result; the session reports its progress every second."""
_CONTROL_BYTES = 1024
"""A binary message up to this size may be a text message sent as binary."""

_CHANNEL_INDEX = [0, 1]  # the first of one
_MAX_REASON_BYTES = 123  # RFC 6455 §5.5

_WIRES = {
    LINEAR16: Wire.PCM16,
    MULAW: Wire.PCM16,
    ALAW: Wire.PCM16,
    OPUS: Wire.OPUS_MESSAGE,
    OGG_OPUS: Wire.OGG,
    None: Wire.PCM16,  # until the first bytes arrive
}
_LAWS = {MULAW: Law.MU, ALAW: Law.A}
_WAV_LAWS = {MU_LAW: Law.MU, A_LAW: Law.A}

_AUDIO_CODES = frozenset({"bad_audio", "empty_audio", "unsupported_format", "protocol_error"})


def parameters_of(query: Listen) -> StreamParameters:
    """Return the stream parameters for a query."""
    is_pcm = query.encoding in RAW_ENCODINGS
    return StreamParameters(
        format=_WIRES[query.encoding],
        sample_rate=query.sample_rate_hz if is_pcm else SAMPLE_RATE_HZ,
        channels=query.channels,
        model=query.model,
        language=query.language,
        languages=query.languages,
        hotwords=query.hotwords,
        partials=query.wants_interim,
        endpoint_ms=query.endpoint_ms,
        word_timestamps=True,
    )


class _Message(msgspec.Struct):
    type: Literal["KeepAlive", "Finalize", "CloseStream", "Configure"]
    keyterms: list[str] | None = None


_HOW_TO_ASK = (
    "Invalid text message; send JSON with type KeepAlive, Finalize, CloseStream or Configure. "
    "keyterms must be a list of strings."
)


@dataclass(slots=True, eq=False)
class _PendingFinal:
    """An ended utterance whose final is pending."""

    end_sample: int
    continues: bool = False


@dataclass(slots=True, eq=False)
class _Finalize:
    """A pending ``Finalize``: the final of ``last`` answers it, if there is one."""

    last: _PendingFinal | None
    is_answered: bool = False


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
        self._law = _LAWS.get(query.encoding or "")
        self._head: bytes | None = b"" if query.encoding is None else None
        self._is_undecodable = False
        self._is_speaking = False
        self._pending: deque[_PendingFinal] = deque()
        self._finalizes: deque[_Finalize] = deque()
        self._sent_sample = self._safe_sample = 0
        self._covered_sample = 0
        self._last_word_sample: int | None = None

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
                return (Flush(),)
            case "CloseStream":
                return (Stop(),)
            case "Configure":
                return self._configure(message)

    def receive_bytes(self, data: bytes) -> Iterable[Step]:
        """Receive audio; an empty message is an older form of ``CloseStream``.

        Text messages sent as binary are accepted, because some clients send them so.

        Raises:
            AudioError: The audio cannot be decoded.
        """
        if not data:
            return (Stop(),)
        if data.startswith(b"{") and len(data) <= _CONTROL_BYTES and _is_message(data):
            return self.receive_text(data.decode())
        if self._is_undecodable:
            raise AudioError("Packets could not be decoded as Opus.")
        self._sha256.update(data)
        if self._head is None:
            return (self._audio(data),)
        self._head += data
        return self._detect_format(self._head)

    def _audio(self, data: bytes) -> Step:
        return data if self._law is None else Companded(data, self._law)

    def _detect_format(self, head: bytes) -> Iterator[Step]:
        """Detect the format of a stream without ``encoding``, and start it."""
        if len(head) < SIGNATURE_BYTES:
            return
        match detect(head, len(head) + 1):
            case AudioFormat.OGG:
                yield Configure(format=Wire.OGG)
            case AudioFormat.WEBM:
                yield Configure(format=Wire.WEBM)
            case AudioFormat.WAV:
                wav = parse_wav_head(head)
                if wav is None:
                    return
                self._law = _WAV_LAWS.get(wav.code)
                is_known = wav.bits == (8 if self._law else 16) and wav.code in (PCM, *_WAV_LAWS)
                is_usual = MIN_RATE_HZ <= wav.sample_rate_hz <= MAX_RATE_HZ
                if not is_known or not is_usual or wav.channels != self._query.channels:
                    raise AudioError(
                        "Unsupported WAV; use 16-bit PCM or G.711, and channels=2 for stereo."
                    )
                yield Configure(format=Wire.PCM16, sample_rate=wav.sample_rate_hz)
                head = head[wav.size_bytes :]
            case _:
                raise AudioError(
                    "Unknown audio format; without encoding, send Ogg or WebM with Opus, or WAV. "
                    "Set encoding and sample_rate for raw samples."
                )
        self._head = None
        if head:
            yield self._audio(head)

    def _configure(self, message: _Message) -> Iterable[Step]:
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

    def _reply(self, message: Json) -> Reply:
        return Reply((_text(message),))

    # Session events.

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the messages for an event."""
        return [_text(message) for message in self._messages_of(event)]

    def _messages_of(self, event: SessionEvent) -> Iterable[Json]:
        match event:
            case SpeechStarted(at_sample):
                return self._speech_started(at_sample)
            case Partial():
                return (self._interim(event),)
            case SpeechEnded(at_sample):
                self._is_speaking = False
                self._pending.append(_PendingFinal(at_sample))
            case Final():
                return (self._final(event),)
            case Flushed():
                self._finalizes.append(_Finalize(self._pending[-1] if self._pending else None))
            case Finalized(at_sample):
                return self._finalized(at_sample)
            case AudioProgress():
                self._safe_sample = event.safe_sample
                return (*self._silence(), *self._utterance_end(event.received_sample))
            case SwitchFormat():
                self._is_undecodable = True
            case Closed():
                return (self._metadata(event.audio_samples),)
            case Failed():
                return ({"type": "Error", "variant": "SchemaError", "description": event.message},)
            case _:
                pass
        return ()

    def _speech_started(self, at_sample: int) -> Iterable[Json]:
        self._is_speaking = True
        if self._pending:
            last = self._pending[-1]
            silence = at_sample - last.end_sample
            last.continues = silence < self._query.endpoint_ms * SAMPLES_PER_MS
        if self._query.wants_speech_started:
            timestamp = seconds(at_sample)
            yield {"type": "SpeechStarted", "channel": _CHANNEL_INDEX, "timestamp": timestamp}

    def _interim(self, event: Partial) -> Json:
        text = event.stable + event.unstable
        words = approximate_words(text, event.start_sample, event.end_sample)
        result = alternative(text, words, punctuates=self._query.punctuates)
        result["confidence"] = INTERIM_CONFIDENCE
        return self._results(event.start_sample, event.end_sample, result)

    def _final(self, event: Final) -> Json:
        words = event.words or approximate_words(event.text, event.start_sample, event.end_sample)
        result = alternative(event.text, words, punctuates=self._query.punctuates)
        if self._query.language is None and event.language is not None:
            result["languages"] = [event.language]
        self._sent_sample = self._covered_sample = event.end_sample
        if words:
            self._last_word_sample = words[-1].end_sample
        ended = self._pending.popleft()
        finalize = next((finalize for finalize in self._finalizes if finalize.last is ended), None)
        if finalize is not None:
            finalize.is_answered = True
        is_endpoint = self._query.tells_endpoints and not ended.continues
        return self._results(
            event.start_sample,
            event.end_sample,
            result,
            is_final=True,
            speech_final=is_endpoint or finalize is not None,
            from_finalize=finalize is not None,
        )

    def _finalized(self, at_sample: int) -> Iterable[Json]:
        """Answer a ``Finalize`` that no result has answered; later words start after its end."""
        if self._finalizes.popleft().is_answered:
            return
        start_sample, end_sample = self._sent_sample, min(at_sample, self._safe_sample)
        self._sent_sample = max(start_sample, end_sample)
        yield self._results(
            start_sample,
            self._sent_sample,
            alternative("", (), punctuates=False),
            is_final=True,
            speech_final=True,
            from_finalize=True,
        )

    def _silence(self) -> Iterable[Json]:
        """Return an empty interim result for silence that no result covers yet."""
        start_sample = max(self._sent_sample, self._covered_sample)
        samples = self._safe_sample - start_sample
        is_silent = not self._is_speaking and not self._pending
        if not self._query.wants_interim or not is_silent or samples < MIN_SILENCE_SAMPLES:
            return
        self._covered_sample = self._safe_sample
        result = alternative("", (), punctuates=False)
        yield self._results(start_sample, self._safe_sample, result)

    def _utterance_end(self, received_sample: int) -> Iterable[Json]:
        """Report silence after the last word, after all finals; checked every second."""
        silence_ms, last_sample = self._query.utterance_end_ms, self._last_word_sample
        if silence_ms is None or last_sample is None or self._is_speaking or self._pending:
            return
        if received_sample - last_sample >= silence_ms * SAMPLES_PER_MS:
            self._last_word_sample = None
            last_word_end = seconds(last_sample)
            yield {
                "type": "UtteranceEnd",
                "channel": _CHANNEL_INDEX,
                "last_word_end": last_word_end,
            }

    def _metadata(self, duration_samples: int) -> Json:
        sha256 = self._sha256.hexdigest()
        metadata = Metadata(
            self._request_id, sha256, self._created, self._model, self._query.warnings
        )
        return {"type": "Metadata", **metadata.body(duration_samples)}

    def _results(
        self,
        start_sample: int,
        end_sample: int,
        result: Json,
        *,
        is_final: bool = False,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> Json:
        return {
            "type": "Results",
            "channel_index": _CHANNEL_INDEX,
            "duration": seconds(end_sample - start_sample),
            "start": seconds(start_sample),
            "is_final": is_final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [result]},
            "metadata": {
                "request_id": self._request_id,
                "model_info": self._model.info,
                "model_uuid": self._model.uuid,
            },
        }

    def closing_messages(self, end: End) -> ClosingMessages:
        """Return the close code and reason in Deepgram's format."""
        code = "" if end.failed is None else end.failed.code
        message = "" if end.failed is None else end.failed.message
        if code == IdleTimeout.code:
            return _closing(1011, "NET-0001", "No audio or KeepAlive received for 10 s.")
        if code in _AUDIO_CODES:
            return _closing(1008, "DATA-0000", message)
        return _closing(end.close_code, code, message)


def _is_message(data: bytes) -> bool:
    try:
        decode_json(data, _Message, "message")
    except BadRequest:
        return False
    return True


def _closing(close_code: int, code: str, message: str) -> ClosingMessages:
    reason = f"{code}: {message}" if code else ""
    cut = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
    return ClosingMessages((), close_code, cut)


def _text(message: Json) -> str:
    return msgspec.json.encode(message).decode()
