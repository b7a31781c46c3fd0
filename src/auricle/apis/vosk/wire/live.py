"""Vosk's WebSocket protocol as a dialect.

::

    {"config": …}        audio                     … {"reset": 1}        … {"eof": 1}
                           ↓                             ↓                    ↓
              {"partial": …} or {"text": …}        {"text": …}    {"text": …}, close 1000

Each binary message gets one answer, at once: many clients send a chunk, wait for its answer and
send the next. So a final is the answer to a chunk that is received after it is known, and a client
that leaves after the answer to ``eof`` has all text: that answer joins the finals that were not
sent before.

A ``config`` has no answer in vosk-server. Nextcloud's server answers one with a ``language``, and
its client waits for that answer to a change. A client that reads one answer for each chunk would
fall behind by an answer to its first message, so the first message gets none.

Programs read ``partial`` or ``text`` of an answer and ignore other names, so warnings are
in ``warnings`` of the next answer. An error is the reason of the close frame.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import msgspec

from auricle.apis.vosk.wire.options import VoskOptions
from auricle.apis.vosk.wire.results import Json, partial_body, result_body
from auricle.protocol.dialect import ClosingMessages, End, Reply, Step
from auricle.protocol.fields import check_length, decode_json
from auricle.protocol.ignored import MAX_WARNINGS
from auricle.protocol.wav import PCM, parse_wav_head
from auricle.values.commands import Flush, Stop
from auricle.values.errors import AudioError, BadRequest
from auricle.values.events import Closed, Failed, Final, Finalized, Partial, SessionEvent, Warned
from auricle.values.limits import MAX_RATE_HZ, MIN_RATE_HZ

IDLE_TIMEOUT_S = 600.0
"""vosk-server has no timeout, and a muted participant of a meeting sends nothing."""
_MAX_REASON_BYTES = 123  # RFC 6455 §5.5
_WAV_SIGNATURE = b"RIFF"


class _Message(msgspec.Struct):
    config: dict[str, object] | None = None
    eof: object = None
    reset: object = None


class VoskDialect:
    """One connection; see the module docstring.

    Args:
        options: The options from the URL.
        warnings: Warnings about options without effect.
    """

    is_resumable = False
    idle_timeout_s = IDLE_TIMEOUT_S

    def __init__(self, options: VoskOptions, warnings: Iterable[str] = ()) -> None:
        self._options = options
        self._warnings = deque(warnings, maxlen=MAX_WARNINGS)
        self._partials: dict[int, str] = {}  # of the utterances whose finals are pending
        self._finals: list[Final] = []  # not sent yet
        self._has_received = self._has_audio = False
        self._is_rate_known = False
        self._is_changing_language = False

    # Client messages.

    def receive_text(self, text: str) -> Iterator[Step]:
        """Yield the steps for a text message; one that is not understood is a chunk without audio.

        Raises:
            BadRequest: The message is too long, or the language is unknown.
            UnsupportedFormat: The sample rate is unusable.
        """
        check_length(text)
        try:
            message = decode_json(text, _Message, "message")
        except BadRequest:
            message = _Message()
        is_first, self._has_received = not self._has_received, True
        if message.config is not None:
            yield from self._configure(message.config, is_first=is_first)
        elif message.eof:
            yield Stop()
        elif message.reset:
            yield Flush()
        else:
            yield Reply(self._answer())

    def receive_bytes(self, data: bytes) -> Iterator[Step]:
        """Yield audio and its answer; the header of a WAV file sets an unknown sample rate."""
        self._has_received = True
        if not self._has_audio and data:
            self._has_audio = True
            yield from self._read_head(data)
        if data:
            yield data
        yield Reply(self._answer())

    def _configure(self, values: Mapping[str, object], *, is_first: bool) -> Iterator[Step]:
        options, warnings = self._options.merged(values)
        self._warnings += warnings
        self._is_rate_known |= "sample_rate" in values
        yield from self._apply(options)
        if "language" not in values:
            return
        self._is_changing_language = not is_first
        yield from self._apply(options.with_language(values["language"]))
        self._is_changing_language = False
        if not is_first:
            yield Reply((_text({"success": True}),))

    def _apply(self, options: VoskOptions) -> Iterator[Step]:
        if options.update_command() != self._options.update_command():
            yield options.update_command()
        self._options = options  # unless the session has rejected it

    def _read_head(self, data: bytes) -> Iterator[Step]:
        """Use the sample rate of a WAV file that a client sends with its header."""
        if self._is_rate_known or not data.startswith(_WAV_SIGNATURE):
            return
        try:
            wav = parse_wav_head(data)
        except AudioError:
            return
        if wav is None or wav.code != PCM or not MIN_RATE_HZ <= wav.sample_rate_hz <= MAX_RATE_HZ:
            return
        yield from self._apply(replace(self._options, sample_rate_hz=wav.sample_rate_hz))

    # Answers.

    def _answer(self) -> Iterator[str]:
        """Yield the answer to a chunk when its turn comes: new finals, or else the partial."""
        if self._finals:
            yield self._rest()
        else:
            yield self._body(partial_body(list(self._partials.values()), self._options))

    def _rest(self) -> str:
        """Return the result of all finals that were not sent."""
        finals, self._finals = self._finals, []
        return self._body(result_body(finals, self._options))

    def _body(self, body: Json) -> str:
        if self._warnings:
            body["warnings"] = list(self._warnings)
            self._warnings.clear()
        return _text(body)

    # Session events.

    def encode(self, event: SessionEvent) -> Iterable[str]:
        """Return the messages for an event; most are kept for the next answer."""
        match event:
            case Partial():
                self._partials[event.utterance] = event.stable + event.unstable
            case Final():
                self._partials.pop(event.utterance, None)
                if event.text.strip():
                    self._finals.append(event)
                if event.error is not None:
                    self._warnings.append(f"An utterance was not transcribed ({event.error}).")
            case Finalized() | Closed():
                return (self._rest(),)
            case Warned():
                self._warnings.append(event.message)
            case Failed() if self._is_changing_language:
                self._is_changing_language = False
                return (_text({"success": False}),)
            case Failed():
                self._warnings.append(event.message)
            case _:
                pass
        return ()

    def closing_messages(self, end: End) -> ClosingMessages:
        """Send the finals that were not sent; an error is the reason of the close frame."""
        texts = (self._rest(),) if self._finals else ()
        reason = "" if end.failed is None else f"{end.failed.code}: {end.failed.message}"
        cut = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        return ClosingMessages(texts, end.close_code, cut)


def _text(message: Json) -> str:
    return msgspec.json.encode(message).decode()
