"""Deepgram's dialect of turns: ``[encoding and options][script]``, see :mod:`fuzz.talk`."""

from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import Any

import msgspec

from auricle.apis.deepgram.wire.flux import FluxDialect
from auricle.apis.deepgram.wire.flux_query import ListenTurns, parse_listen_turns
from auricle.apis.deepgram.wire.query import ENCODINGS
from fuzz.grammars import join_steps, split_steps
from fuzz.mutation import blind, json_mutation, script_mutation
from fuzz.talk import BYTES, EVENTS, TEXT, Talk
from fuzz.target import Blind, Target

MODULES = (
    "auricle.apis.deepgram.wire.flux",
    "auricle.apis.deepgram.wire.flux_query",
    "auricle.apis.deepgram.wire.flux_turns",
)
_ENCODINGS = (None, *ENCODINGS)
_OPTIONS = (
    ("model", "flux-general-en"),
    ("language_hint", "de"),
    ("eager_eot_threshold", "0.5"),
    ("eot_threshold", "1.0"),
    ("eot_timeout_ms", "500"),
)
_WORDS = (
    *("type", "Configure", "ForceEndTurn", "CloseStream", "KeepAlive"),
    *("thresholds", "eot_threshold", "eager_eot_threshold", "eot_timeout_ms"),
    *("keyterms", "language_hints", "de", "Auricle"),
)
_FORCE, _CLOSE, _KEEP_ALIVE = (
    bytes([TEXT]) + f'{{"type":"{name}"}}'.encode()
    for name in ("ForceEndTurn", "CloseStream", "KeepAlive")
)
_CONFIGURE = bytes([TEXT]) + (
    b'{"type":"Configure","keyterms":["Auricle"],"language_hints":"de",'
    b'"thresholds":{"eot_threshold":0.6,"eager_eot_threshold":null,"eot_timeout_ms":900}}'
)


class _Checker:
    """Messages are numbered; turns start, are eager, resume and end in their order."""

    def __init__(self) -> None:
        self.messages = self.turns = 0
        self.is_started = False
        self._eager: str | None = None
        self._end_s = 0.0

    def __call__(self, text: str) -> None:
        message: dict[str, Any] = msgspec.json.decode(text)
        assert message["sequence_id"] == self.messages, "a number is missing"
        self.messages += 1
        if message["type"] != "TurnInfo":
            return
        transcript, words = message["transcript"], message["words"]
        assert message["turn_index"] == self.turns
        assert message["audio_window_start"] <= message["audio_window_end"]
        assert message["audio_window_end"] >= self._end_s, "time runs back"
        assert bool(transcript) == bool(words), "a text has no words, or words have no text"
        assert 0 <= message["end_of_turn_confidence"] <= 1
        assert ("trigger" in message) == (message["event"] == "EndOfTurn")
        self._end_s = message["audio_window_end"]
        match message["event"]:
            case "Update":
                assert self._eager is None, "an update contradicts an eager end"
                assert self.is_started or not transcript, "text without a turn"
            case "StartOfTurn":
                assert not self.is_started, "a turn starts twice"
                assert transcript, "a turn starts without words"
                self.is_started = True
            case "EagerEndOfTurn":
                assert self.is_started, "an end without a start"
                assert self._eager is None, "an eager end is not resumed"
                assert transcript, "an eager end is empty"
                self._eager = transcript
            case "TurnResumed":
                assert self._eager is not None, "what did not end resumes"
                self._eager = None
            case "EndOfTurn":
                assert self.is_started, "an end without a start"
                assert self._eager in (None, transcript), "an eager end was wrong"
                self.is_started, self._eager = False, None
                self.turns += 1
            case other:
                raise AssertionError(other)


@lru_cache(maxsize=256)
def _asked(options: int) -> ListenTurns:
    encoding = _ENCODINGS[options % len(_ENCODINGS)]
    query = [pair for bit, pair in enumerate(_OPTIONS, 3) if options >> bit & 1]
    if encoding is not None:
        query += [("encoding", encoding), ("sample_rate", "8000")]
    return parse_listen_turns([*query, ("turbo", "1")])


def run(data: bytes) -> None:
    """Play a script; every turn that has started ends."""
    if not data:
        return
    checker = _Checker()
    talk = Talk(FluxDialect(_asked(data[0]), request_id="id"), checker, turns=True)
    talk.play(data[1:])
    assert not checker.is_started, "a turn has no end"


def seeds() -> Iterator[bytes]:
    """Give what SDKs send, and sessions with turns of every kind."""
    plain = bytes([EVENTS, 0, 1, 9, 3, 0, 17, 6, 12, 6, 3, 20, 6, 14])
    eager = bytes([EVENTS, 0, 1, 0x3A, 6, 3, 4, 0, 0x3A, 1, 0x2A, 3, 5, 0, 0x3A, 3, 0x84, 6])
    long = bytes([EVENTS, 0, 1, 3, 0, 9, 0x3A, 16, 24, 3, 16, 6, 6, 6, 6])
    for options in range(6):
        steps = [bytes([BYTES]) + bytes(20), eager, _FORCE, plain, _KEEP_ALIVE, _CONFIGURE]
        yield bytes([options | 0xF8]) + join_steps([*steps, long, _FORCE, eager, _CLOSE])
    yield b"\x22" + join_steps([long, _FORCE, long, bytes([TEXT]) + b'{"type":"Dance"}'])


_SPARE = (_FORCE, _CLOSE, _KEEP_ALIVE, _CONFIGURE, bytes([EVENTS, 0, 1, 0x3A]), bytes([EVENTS, 4]))
_SCRIPT = script_mutation(split_steps, join_steps, (json_mutation(_WORDS), blind, blind), _SPARE)


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    return data[:1] + _SCRIPT(data[1:], rng, change)


TARGET = Target(
    run, seeds, _mutate, words=tuple(f'"{w}"'.encode() for w in _WORDS), loop_bytes=2**16
)
