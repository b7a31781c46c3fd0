"""Vosk's dialect: ``[options][script]``, see :mod:`fuzz.talk`."""

import json
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import msgspec

from auricle.apis.vosk.wire.live import VoskDialect
from auricle.apis.vosk.wire.options import VoskOptions
from auricle.protocol.dialect import Reply
from auricle.protocol.ignored import MAX_WARNINGS
from auricle.values.events import Final, SessionEvent
from fuzz.checks import pieces
from fuzz.grammars import join_steps, split_steps
from fuzz.mutation import blind, json_mutation, script_mutation
from fuzz.talk import BYTES, EVENTS, TEXT, Talk
from fuzz.target import Blind, Target
from tests.support.clips import TESTDATA

MODULES = (
    "auricle.apis.vosk.wire.live",
    "auricle.apis.vosk.wire.options",
    "auricle.apis.vosk.wire.results",
)
_WORDS = (
    *("config", "sample_rate", "language", "words", "max_alternatives", "phrase_list", "model"),
    *("punctuate", "eof", "reset", "[unk]", "16000", "48000.0", "en", "de"),
)


class _Checker:
    """Each chunk has one answer, and no text is sent twice or lost."""

    def __init__(self) -> None:
        self.answers = 0
        self.text = ""

    def __call__(self, text: str) -> None:
        message: dict[str, Any] = msgspec.json.decode(text)
        if "success" in message:
            assert message.keys() == {"success"}
            return
        self.answers += 1
        assert len(message.pop("warnings", ())) <= MAX_WARNINGS
        if "partial" in message:
            assert message.keys() == {"partial"}, "a final with a partial is read as a partial"
            return
        if "alternatives" in message:
            (message,) = message["alternatives"]
            message.pop("confidence")
        assert message.keys() <= {"result", "text"}
        self.text += message["text"]
        for word in message.get("result", ()):
            assert word["word"]
            assert 0 <= word["start"] <= word["end"]


class _Dialect(VoskDialect):
    """A dialect that notes the text of the finals."""

    def __init__(self, options: int) -> None:
        words, alternatives, punctuates = (bool(options >> bit & 1) for bit in range(3))
        super().__init__(
            VoskOptions(has_words=words, has_alternatives=alternatives, punctuates=punctuates)
        )
        self.text = ""

    def encode(self, event: SessionEvent) -> Iterable[str]:
        if isinstance(event, Final):
            self.text += event.text
        return super().encode(event)


def run(data: bytes) -> None:
    """Play a script, and count the answers."""
    if not data:
        return
    checker = _Checker()
    dialect = _Dialect(data[0])
    talk = Talk(dialect, checker)
    talk.play(data[1:])
    if b"punctuate" not in data and data[0] & 4:
        assert _letters(checker.text) == _letters(dialect.text), "text is sent twice, or never"
    audio = b"".join(step[1:] for step in split_steps(data[1:]) if step[0] % 3 == BYTES)
    assert audio.startswith(bytes(talk.audio)), "audio is changed"
    dialect = _Dialect(data[0])
    for number, chunk in enumerate(pieces(audio)):
        steps = list(dialect.receive_bytes(chunk))
        answers = [text for step in steps if isinstance(step, Reply) for text in step.texts]
        assert len(answers) == 1, f"chunk {number} has no answer, or several"


def _letters(text: str) -> str:
    return "".join(text.split())


def _text(**fields: object) -> bytes:
    return bytes([TEXT]) + json.dumps(fields).encode()


_CONFIG = _text(config={"sample_rate": "16000", "words": 1, "phrase_list": ["one", "[unk]"]})
_CHANGE = _text(config={"language": "de", "max_alternatives": 3, "punctuate": False})
_RESET, _EOF = _text(reset=1), bytes([TEXT]) + b'{"eof" : 1}'
_CHUNK = bytes([BYTES]) + bytes(32)
_SPEECH = bytes([EVENTS, 0, 1, 9, 17, 3, 12])
_STEPS = (
    _CONFIG,
    _CHANGE,
    _RESET,
    _EOF,
    _CHUNK,
    _SPEECH,
    bytes([EVENTS, 0, 3, 28, 7, 15, 23, 132]),
)


def seeds() -> Iterator[bytes]:
    """Give what the programs send."""
    wav = bytes([BYTES]) + (TESTDATA / "fellow.wav").read_bytes()[:120]
    for options in (b"\5", b"\0", b"\7"):
        yield options + join_steps([_CONFIG, _CHUNK, _SPEECH, _CHUNK, _CHANGE, _CHUNK, _EOF])
        yield options + join_steps([wav, _SPEECH, _RESET, *_STEPS])


_SCRIPT = script_mutation(split_steps, join_steps, (json_mutation(_WORDS), blind, blind), _STEPS)


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    return data[:1] + _SCRIPT(data[1:], rng, change)


TARGET = Target(
    run, seeds, _mutate, words=tuple(f'"{w}"'.encode() for w in _WORDS), loop_bytes=2**16
)
