"""Events of a live session in a valid order, chosen by bytes."""

from collections import deque
from collections.abc import Iterator

from auricle.values.commands import Spare
from auricle.values.events import (
    AudioProgress,
    Closed,
    Discarded,
    EagerFinal,
    Failed,
    Final,
    Finalized,
    Flushed,
    Partial,
    Ready,
    SessionEvent,
    SpeechEnded,
    SpeechStarted,
    SwitchFormat,
    Trigger,
    TurnResumed,
    Warned,
    WarningCode,
    Wire,
)
from auricle.values.types import Word

_WORDS = ("One", " two", ", three.", "四", " ", "", "'n'", " 5.5", "\u0301", ' "q"', "\n", " ß")
_STEP_SAMPLES = 4000
_LANGUAGES = ("en", "ja", None, "de")
_TRIGGERS = (None, *Trigger)


class Story:
    """A session that says things; see :mod:`auricle.protocol.dialect` for the order of them.

    Args:
        turns: Whether it detects the ends of turns.
    """

    def __init__(self, *, turns: bool = False) -> None:
        self._turns = turns
        self._eager: EagerFinal | None = None  # of the open utterance
        self._promised: dict[int, EagerFinal] = {}  # those of ended utterances, by their numbers
        self._sample = 0
        self._utterances = self._finals = 0
        self._open: tuple[int, int, str] | None = None  # number, start, what is stable
        self._pending: deque[tuple[int, int, int, str]] = deque()
        self._flushes: deque[tuple[int, int]] = deque()  # place, last utterance before it
        self._is_stopping = False
        self.is_closed = False
        self.sent_finals = 0

    @property
    def has_pending_answer(self) -> bool:
        """Whether something is to come by itself."""
        return bool(self._pending or self._flushes) or self._is_stopping

    def ready(self) -> SessionEvent:
        """Return the first event."""
        return Ready("session", "secret", False, False, 0, 0)

    def hear(self, size_bytes: int) -> None:
        """Let time pass."""
        self._sample += size_bytes // 2

    def advance(self, choice: int) -> Iterator[SessionEvent]:
        """Let something happen, if it may now."""
        if self.is_closed:
            return
        self._sample += _STEP_SAMPLES
        match choice % 8:
            case 0 if self._open is None and not self._is_stopping:
                yield self._start()
            case 2 if self._open is not None and self._turns and choice & 0x20:
                yield from self._eager_final(choice)
            case 1 | 2 if self._open is not None:
                yield from self._resume()
                yield self._partial(choice)
            case 3:
                yield from self._end()
            case 4 | 5:
                yield from self._final(choice)
            case 6:
                starts = (start for _, start, _, _ in self._pending)
                yield AudioProgress(self._sample, min([self._sample, *starts]))
            case 7:
                yield self._oddity(choice)
            case _:
                pass

    def flush(self, spares: Spare = Spare.NOTHING) -> Iterator[SessionEvent]:
        """Answer a ``Flush``; where it spares an onset, the next utterance has begun."""
        if self._is_stopping:
            return
        was_open = self._open is not None
        ends = spares in (Spare.NOTHING, Spare.ONSET)
        if ends:
            yield from self._end()
        if was_open and spares is Spare.ONSET:
            yield self._start()
        is_open = self._open is not None
        yield Flushed(self._sample, was_open and ends, is_open=is_open)
        self._flushes.append((self._sample, self._utterances - is_open))
        yield from self._settle()

    def discard(self) -> Iterator[SessionEvent]:
        """Answer a ``Discard``."""
        if not self._is_stopping:
            self._open = self._eager = None
            yield Discarded(self._sample)

    def stop(self) -> Iterator[SessionEvent]:
        """Answer a ``Stop``."""
        yield from self._end()
        self._is_stopping = True
        yield from self._settle()

    def finish(self) -> Iterator[SessionEvent]:
        """Say all that is still to come."""
        while self._pending:
            yield from self._final(4)
        yield from self._settle()

    def _start(self) -> SessionEvent:
        self._utterances += 1
        self._open = (self._utterances, self._sample, "")
        return SpeechStarted(self._sample)

    def _partial(self, choice: int) -> SessionEvent:
        assert self._open is not None
        number, start, stable = self._open
        if choice % 8 == 1:
            stable += _WORDS[choice // 8 % len(_WORDS)]
        self._open = number, start, stable
        return Partial(number, stable, _WORDS[choice % len(_WORDS)], start, self._sample)

    def _eager_final(self, choice: int) -> Iterator[SessionEvent]:
        assert self._open is not None
        yield from self._resume()
        number, start, stable = self._open
        text = (stable + _WORDS[choice // 8 % len(_WORDS)]).strip()
        if text:
            words = tuple(Word(start, self._sample, word, 0.5) for word in text.split())
            timed = words if choice & 16 else None
            self._eager = EagerFinal(number, text, start, self._sample, "en", timed, 0.6)
            yield self._eager

    def _resume(self) -> Iterator[SessionEvent]:
        if self._eager is not None:
            yield TurnResumed(self._eager.utterance)
            self._eager = None

    def _end(self) -> Iterator[SessionEvent]:
        if self._open is not None:
            number, start, stable = self._open
            self._open = None
            if self._eager is not None:
                self._promised[number], self._eager = self._eager, None
            self._pending.append((number, start, self._sample, stable))
            yield SpeechEnded(self._sample)

    def _final(self, choice: int) -> Iterator[SessionEvent]:
        if not self._pending:
            return
        number, start, end, stable = self._pending.popleft()
        self._finals += 1
        self.sent_finals += 1
        error = "poison_job" if choice & 0x80 else None
        text = "" if error else stable if choice & 8 else stable + _WORDS[choice // 16 % 8]
        if choice & 0x48 == 0x40:
            text = "Something else."
        words = tuple(Word(start, end, word, 0.5) for word in text.split()) if choice & 16 else None
        language = _LANGUAGES[choice // 32 % 4]
        if (promised := self._promised.pop(number, None)) is not None:
            if error or choice & 1:
                yield TurnResumed(number)
            else:
                text, words, language = promised.text, promised.words, promised.language
        yield Final(
            *(self._finals, number, text.strip(), start, end, language, words, 1.0, False, error),
            end_of_turn=0.9 if self._turns and choice & 2 else None,
            trigger=_TRIGGERS[choice // 2 % 4] if self._turns else None,
        )
        yield from self._settle()

    def _settle(self) -> Iterator[SessionEvent]:
        pending = self._pending[0][0] if self._pending else self._utterances + 1
        if self._open is not None:
            pending = min(pending, self._open[0])
        while self._flushes and self._flushes[0][1] < pending:
            yield Finalized(self._flushes.popleft()[0])
        if self._is_stopping and not self._pending and not self.is_closed:
            self.is_closed = True
            yield Closed("stop", self._sample, 5, 0, 0)

    def _oddity(self, choice: int) -> SessionEvent:
        match choice // 8 % 3:
            case 0:
                return Warned(WarningCode.AUDIO_GAP, "Audio is missing.", 20)
            case 1:
                return SwitchFormat(Wire.PCM16, "3 packets in a row could not be decoded")
            case _:
                return Failed("bad_request", "This makes no sense.", False)
