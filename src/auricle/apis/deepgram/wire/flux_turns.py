"""The turns of a Flux stream: what ``TurnInfo`` messages report.

::

    StartOfTurn → Update … → EndOfTurn
                   ↑    ↓        ↑
       TurnResumed └─ EagerEndOfTurn

A turn is the utterances up to one that ends it: a long utterance ends at a short pause, or at its
maximum length, and the turn continues in the next. A turn starts with its first words, not with a
sound, so that a cough neither starts a turn nor interrupts an agent. While ``EagerEndOfTurn`` holds
there is no ``Update``; the text of ``EndOfTurn`` is the same, or ``TurnResumed`` comes first.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from auricle.apis.deepgram.wire.flux_query import ListenTurns
from auricle.apis.deepgram.wire.query import message_filters
from auricle.apis.deepgram.wire.results import Json, seconds
from auricle.text.formats.spoken_words import spaced_words
from auricle.values.events import (
    AudioProgress,
    EagerFinal,
    Final,
    Flushed,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Trigger,
    TurnResumed,
)
from auricle.values.languages import SPACELESS_LANGUAGES
from auricle.values.types import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Word

UPDATE_SAMPLES = SAMPLE_RATE_HZ // 4
"""Minimum audio between two ``Update`` messages without new text, as at Deepgram."""

MAX_TURN_CHARACTERS = 10_000
"""A turn of ten minutes ends with its utterance: each message has the whole text of its turn."""

TurnEvent = (
    SpeechStarted
    | Partial
    | EagerFinal
    | TurnResumed
    | SpeechEnded
    | Final
    | Flushed
    | AudioProgress
)


@dataclass(slots=True, eq=False)
class _PendingFinal:
    """An ended utterance whose final is pending."""

    is_forced: bool = False


@dataclass(frozen=True, slots=True)
class _Text:
    """A transcript and its words."""

    text: str = ""
    words: tuple[Word, ...] = ()

    def joined(self, other: "_Text", glue: str) -> "_Text":
        between = glue if self.text and other.text else ""
        return _Text(f"{self.text}{between}{other.text}", (*self.words, *other.words))


@dataclass(slots=True)
class _Turn:
    """A turn.

    Attributes:
        start_sample: Start of its speech; before that, the end of the turn before it.
        settled: The text of its finals.
        shown: The text that was sent last.
        eager: The text of an ``EagerEndOfTurn`` that holds.
        is_started: Whether ``StartOfTurn`` was sent.
        probability: The last probability of its end.
    """

    start_sample: int
    settled: _Text = field(default_factory=_Text)
    shown: _Text = field(default_factory=_Text)
    eager: _Text | None = None
    is_started: bool = False
    probability: float = 0.0


class Turns:
    """Encodes the events of a session as ``TurnInfo`` messages, without their common fields.

    Args:
        query: The parsed query.

    Attributes:
        timeout_ms: Silence that ends a turn whose last utterance had the maximum length.
        filters: Text filters for later messages.
    """

    def __init__(self, query: ListenTurns) -> None:
        self.timeout_ms = query.thresholds.eot_timeout_ms
        self.filters = message_filters(writes_numerals=query.writes_numerals)
        self._reports_languages = query.detects_language
        self._language = query.language
        self._index = 0
        self._turn = _Turn(0)
        self._window_end = self._speech_end = 0
        self._is_speaking = False
        self._pending: deque[_PendingFinal] = deque()
        self._early: Partial | EagerFinal | None = None

    def messages_of(self, event: TurnEvent) -> Iterable[Json]:
        """Return the messages for an event."""
        match event:
            case SpeechStarted(at_sample):
                self._is_speaking = True
                if not self._turn.is_started:
                    self._turn.start_sample = max(at_sample, self._turn.start_sample)
            case Partial() | EagerFinal() if self._pending:
                # It is of the next utterance; a partial does not replace an eager final.
                if isinstance(event, EagerFinal) or not isinstance(self._early, EagerFinal):
                    self._early = event
            case Partial():
                return self._partial(event)
            case EagerFinal():
                return self._eager(event)
            case TurnResumed():
                early = self._early
                if not isinstance(early, EagerFinal) or early.utterance != event.utterance:
                    return self._resumed()
                self._early = None
            case SpeechEnded(at_sample):
                self._is_speaking = False
                self._early = None
                self._speech_end = at_sample
                self._pending.append(_PendingFinal())
            case Final():
                return self._final(event)
            case Flushed():
                return self._flushed()
            case AudioProgress(received_sample):
                return self._progress(received_sample)
        return ()

    def close(self) -> Iterable[Json]:
        """Return the end of a turn that is still open when its stream ends."""
        return self._end(Trigger.MANUAL) if self._turn.is_started else ()

    def _partial(self, event: Partial) -> Iterator[Json]:
        turn = self._turn
        if turn.eager is not None:
            return
        text = (event.stable + event.unstable).strip()
        words = spaced_words(text, event.start_sample, event.end_sample)
        self._window_end = max(self._window_end, event.end_sample)
        shown = self._joined(text, words)
        if shown.text and not turn.is_started:
            yield self._start(shown)
        elif shown.text:
            yield self._message("Update", shown)

    def _eager(self, event: EagerFinal) -> Iterator[Json]:
        turn = self._turn
        self._language = event.language or self._language
        text = self._joined(event.text, _words_of(event))
        if not text.text:
            return
        self._window_end = max(self._window_end, event.end_sample)
        if not turn.is_started:
            yield self._start(text)
        yield from self._resumed()
        turn.eager, turn.probability = text, event.probability
        yield self._message("EagerEndOfTurn", text)

    def _resumed(self) -> Iterator[Json]:
        if self._turn.eager is not None:
            self._turn.eager = None
            self._turn.probability = 0.0
            yield self._message("TurnResumed", self._turn.shown)

    def _final(self, event: Final) -> Iterator[Json]:
        turn, pending = self._turn, self._pending.popleft()
        trigger = Trigger.MANUAL if pending.is_forced else self._trigger_of(event)
        self._language = event.language or self._language
        self._window_end = max(self._window_end, event.end_sample)
        turn.settled = self._joined(event.text, _words_of(event))
        if turn.settled.text and not turn.is_started:
            yield self._start(turn.settled)
        if trigger is None and len(turn.settled.text) > MAX_TURN_CHARACTERS:
            trigger = Trigger.TIMEOUT
        if trigger is not None:
            yield from self._end(trigger, event.end_of_turn or 0.0)
        elif turn.is_started:
            yield from self._resumed()
            yield self._message("Update", turn.settled)
        early, self._early = self._early, None
        if early is not None and self._pending:
            self._early = early
        elif early is not None:
            yield from self.messages_of(early)

    def _trigger_of(self, event: Final) -> Trigger | None:
        """Return what ended the turn, if it has ended.

        A long utterance ends before the silence that ends a turn which does not sound finished.
        """
        is_early = event.end_of_turn is not None and event.latency_ms < self.timeout_ms
        return None if event.trigger is Trigger.TIMEOUT and is_early else event.trigger

    def _flushed(self) -> Iterable[Json]:
        """End the turn: with the final that is pending, or now if there is none."""
        if self._pending:
            self._pending[-1].is_forced = True
        elif self._turn.is_started and not self._is_speaking:
            return self._end(Trigger.MANUAL)
        return ()

    def _progress(self, received_sample: int) -> Iterator[Json]:
        """Report audio without new text, and end a turn in silence if no utterance is open."""
        turn, is_silent = self._turn, not self._is_speaking and not self._pending
        silence = received_sample - self._speech_end
        if is_silent and turn.is_started and silence >= self.timeout_ms * SAMPLES_PER_MS:
            self._window_end = max(self._window_end, received_sample)
            yield from self._end(Trigger.TIMEOUT)
        elif received_sample - self._window_end >= UPDATE_SAMPLES and turn.eager is None:
            self._window_end = received_sample
            yield self._message("Update", turn.shown)

    def _start(self, text: _Text) -> Json:
        self._turn.is_started = True
        return self._message("StartOfTurn", text)

    def _end(self, trigger: Trigger, probability: float = 0.0) -> Iterator[Json]:
        """End the turn; one without words never started, and has no message."""
        turn = self._turn
        if turn.is_started:
            if turn.eager is not None and turn.eager.text != turn.settled.text:
                yield from self._resumed()
            turn.probability = probability
            yield self._message("EndOfTurn", turn.settled, trigger=trigger.value)
            self._index += 1
        self._turn = _Turn(self._window_end)

    def _joined(self, text: str, words: Sequence[Word]) -> _Text:
        """Return the text of the turn with that of its last utterance."""
        text, shown = self.filters.final(text, words, self._language)
        glue = "" if self._language in SPACELESS_LANGUAGES else " "
        return self._turn.settled.joined(_Text(text.strip(), shown or ()), glue)

    def _message(self, event: str, text: _Text, **fields: str) -> Json:
        turn = self._turn
        turn.shown = text
        words = [_word(word) for word in text.words if word.text.strip()]
        message: Json = {
            "event": event,
            "turn_index": self._index,
            "audio_window_start": seconds(min(turn.start_sample, self._window_end)),
            "audio_window_end": seconds(self._window_end),
            "transcript": text.text,
            "words": words,
            "end_of_turn_confidence": round(turn.probability, 4),
            **fields,
        }
        if self._reports_languages:
            message["languages"] = [] if self._language is None else [self._language]
        return message


def _word(word: Word) -> Json:
    return {
        "word": word.text.strip(),
        "confidence": round(word.probability, 4),
        "start": seconds(word.start_sample),
        "end": seconds(word.end_sample),
    }


def _words_of(final: Final | EagerFinal) -> tuple[Word, ...]:
    """Return the words of a final; approximate ones if the engine returns none."""
    return final.words or tuple(spaced_words(final.text, final.start_sample, final.end_sample))
