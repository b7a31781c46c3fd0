"""The transcript of one Wyoming request: its chunks while it grows, and its end.

Chunks contain only stable text, which is never retracted; ``transcript`` is authoritative.
"""

from collections import deque
from collections.abc import Sequence

from auricle.apis.wyoming.wire.framing import error_event, pack_event
from auricle.protocol.ignored import MAX_WARNINGS
from auricle.text.formats.stable_text import StableText
from auricle.values.events import Final, Partial
from auricle.values.languages import SPACELESS_LANGUAGES


class RequestTranscript:
    """The transcript of one request; its methods return the events to send."""

    def __init__(self) -> None:
        self.error: str | None = None
        self._text = ""
        self._glue = ""
        self._language: str | None = None
        self._has_started = self._has_closed = False
        self._utterances: deque[StableText] = deque()  # their finals are pending
        self._warnings: deque[str] = deque(maxlen=MAX_WARNINGS)

    @property
    def is_whole(self) -> bool:
        """Whether there is text to send and no final is pending."""
        has_text = bool(self._text) and not self._has_closed
        return has_text and self.error is None and not self._utterances

    def warn(self, message: str) -> None:
        """Keep a warning for ``transcript``, where it is an extension."""
        if message not in self._warnings:
            self._warnings.append(message)

    def started(self) -> None:
        """Start an utterance."""
        self._utterances.append(StableText())

    def partial(self, event: Partial, language: str | None) -> Sequence[str]:
        """Update the open utterance with a partial; return the new chunks."""
        self._utterances[-1].update(event)
        return self._chunks(language)

    def final(self, event: Final, language: str | None) -> Sequence[str]:
        """Finish the oldest utterance with its final; return the new chunks."""
        utterance = self._utterances[0]
        utterance.update(event)
        events = [*self._chunks(language)]
        self._utterances.popleft()
        self.error = self.error or event.error
        self._language = self._language or event.language
        if event.text:
            self._text += self._glue + event.text
        if event.text or utterance.sent:
            self._glue = "" if event.language in SPACELESS_LANGUAGES else " "
        if self._utterances:
            events += self._chunks(language)
        return events

    def close(self, language: str | None) -> Sequence[str]:
        """Return the transcript, or an error if a part is missing: half a command is worse."""
        self._has_closed = True
        if self.error is not None:
            return (error_event(self.error, "The speech could not be transcribed; say it again."),)
        spoken = self._language or language
        transcript: dict[str, object] = {"text": self._text}
        if spoken is not None:
            transcript["language"] = spoken
        if self._warnings:
            transcript["warnings"] = list(self._warnings)
        start = () if self._has_started else (self._start(language),)
        return (*start, pack_event("transcript", transcript), pack_event("transcript-stop"))

    def _chunks(self, language: str | None) -> Sequence[str]:
        """Return the new text of the oldest utterance; later utterances wait."""
        chunk = self._utterances[0].next_part(self._glue)
        if not chunk:
            return ()
        events = pack_event("transcript-chunk", {"text": chunk})
        return (events,) if self._has_started else (self._start(language), events)

    def _start(self, language: str | None) -> str:
        self._has_started = True
        return pack_event("transcript-start", {} if language is None else {"language": language})
