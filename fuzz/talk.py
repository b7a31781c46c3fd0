"""A dialect and a session that follow a script: what holds for every dialect.

A script is steps: a client's text, a client's bytes, or bytes that each make the session
send an event.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from auricle.protocol.dialect import Companded, Dialect, End, Reply, Step
from auricle.values.commands import Configure, Discard, Flush, Stop
from auricle.values.errors import AuricleError, BadRequest, LocalProtocolError
from auricle.values.events import Failed, SessionEvent
from auricle.values.languages import LANGUAGES
from fuzz.grammars import split_steps
from fuzz.story import Story

TEXT, BYTES, EVENTS = 0, 1, 2

_MAX_STEPS = 16
_MAX_EVENTS = 40
"""Enough for any order; more would only be slow."""

Check = Callable[[str], None]


class Talk:
    """One connection.

    Args:
        dialect: What is fuzzed.
        check: Looks at each message that is sent.
        turns: Whether the session detects the ends of turns.
    """

    def __init__(self, dialect: Dialect, check: Check, *, turns: bool = False) -> None:
        self.dialect = dialect
        self.story = Story(turns=turns)
        self.audio = bytearray()
        self._check = check
        self._is_over = False
        self._events = 0

    def play(self, script: bytes) -> None:
        """Play a script, then end the connection."""
        self._send(self.story.ready())
        for step in split_steps(script)[:_MAX_STEPS]:
            if self._is_over:
                break
            self._play(step[0] % 3, step[1:])
        self.end(None)

    def end(self, failed: Failed | None) -> None:
        """Send the remaining events."""
        for event in self.story.finish():
            self._send(event)
        closing_messages = self.dialect.closing_messages(
            End("end", 1000 if failed is None else 1008, failed)
        )
        for text in closing_messages.texts:
            self._check(text)
        assert len(closing_messages.reason.encode()) <= 123, "the close frame is too long"

    def _play(self, kind: int, payload: bytes) -> None:
        if kind == EVENTS:
            payload = payload[: _MAX_EVENTS - self._events]
            self._events += len(payload)
            for choice in payload:
                for event in self.story.advance(choice):
                    self._send(event)
            self._is_over = self.story.is_closed
            return
        try:
            if kind == TEXT:
                self._take(self.dialect.receive_text(payload.decode(errors="replace")))
            else:
                self._take(self.dialect.receive_bytes(payload))
        except BadRequest:
            pass  # it is reported, and the connection stays
        except LocalProtocolError as error:
            raise AssertionError("a client can make us do what we must not") from error
        except AuricleError as error:
            self._is_over = True
            for text in self.dialect.encode(Failed(error.code, str(error), False)):
                self._check(text)

    def _take(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case bytes():
                    self._hear(step)
                case Companded():
                    self._hear(step.data)
                case Reply():
                    for text in step.texts:
                        self._check(text)
                case Flush():
                    self._tell_all(self.story.flush(step.spares))
                case Discard():
                    self._tell_all(self.story.discard())
                case Stop():
                    self._tell_all(self.story.stop())
                case Configure():
                    _check_configuration(step)
                case _:
                    pass

    def _hear(self, data: bytes) -> None:
        assert data, "a message without audio"
        self.audio += data
        self.story.hear(len(data))

    def _tell_all(self, events: Iterable[SessionEvent]) -> None:
        for event in events:
            self._send(event)

    def _send(self, event: SessionEvent) -> None:
        for text in self.dialect.encode(event):
            self._check(text)


def _check_configuration(command: Configure) -> None:
    language: Any = command.language
    assert language in (None, msgspec.UNSET) or language in LANGUAGES, "an unknown language"
    if command.sample_rate is not msgspec.UNSET:
        assert 8000 <= command.sample_rate <= 96_000
    if command.endpoint_ms is not msgspec.UNSET:
        assert 100 <= command.endpoint_ms <= 5000
