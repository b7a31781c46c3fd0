"""OpenAI's Realtime dialect: ``[is beta][script]``, see :mod:`fuzz.talk`."""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from auricle.apis.openai_realtime.wire.config import RealtimeConfig
from auricle.apis.openai_realtime.wire.live import RealtimeDialect
from fuzz.grammars import join_steps, split_steps
from fuzz.mutation import blind, json_mutation, script_mutation
from fuzz.talk import EVENTS, TEXT, Talk
from fuzz.target import Blind, Target

MODULES = ("auricle.apis.openai_realtime.wire",)
_MADE = {"conversation.item.added", "conversation.item.created"}
_ENDED = {
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
}
_WORDS = (
    *("type", "event_id", "audio", "session", "input", "format", "rate", "transcription", "model"),
    *("language", "languages", "prompt", "keywords", "turn_detection", "silence_duration_ms"),
    *("eagerness", "input_audio_format", "input_audio_transcription", "session.update", "delta"),
    *("transcription_session.update", "input_audio_buffer.append", "input_audio_buffer.commit"),
    *("input_audio_buffer.clear", "audio/pcm", "audio/pcmu", "audio/pcma", "pcm16", "g711_ulaw"),
    *("server_vad", "semantic_vad", "low", "high", "auto", "gpt-realtime-whisper", "en", "de"),
)


class _Checker:
    """Every event has a new id, and every item one beginning and at most one end."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self.made: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    def __call__(self, text: str) -> None:
        event: dict[str, Any] = msgspec.json.decode(text)
        assert event["event_id"] not in self._ids, "an event's id comes twice"
        self._ids.add(event["event_id"])
        if event["type"] in _MADE:
            self.made[event["item"]["id"]] += 1
        elif event["type"] in _ENDED:
            assert event["item_id"] in self.made, "an item ends that was never told"
            self.ended[event["item_id"]] += 1

    def finish(self) -> None:
        """Check that the books are balanced."""
        assert all(count == 1 for count in self.made.values()), "an item is told twice"
        assert self.made == self.ended, "an item has no end, or two"


def run(data: bytes) -> None:
    """Play a script."""
    checker = _Checker()
    is_beta = bool(data[:1] and data[0] & 1)
    dialect = RealtimeDialect("s", RealtimeConfig(), is_beta=is_beta)
    Talk(dialect, checker).play(data[1:])
    checker.finish()


def _text(**fields: object) -> bytes:
    return bytes([TEXT]) + json.dumps(fields).encode()


def _append(data: bytes) -> bytes:
    return _text(type="input_audio_buffer.append", audio=b64encode(data).decode())


_TODAY = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 16000},
            "transcription": {"model": "gpt-4o-transcribe", "language": "en", "keywords": ["a"]},
            "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
        }
    },
}
_BETA = {
    "input_audio_format": "g711_ulaw",
    "input_audio_transcription": {"model": "whisper-1", "prompt": "Hello"},
    "turn_detection": {"type": "server_vad", "silence_duration_ms": 200},
}
_STEPS = (
    _text(type="session.update", session=_TODAY),
    _text(type="transcription_session.update", session=_BETA),
    _text(type="session.update", session={"audio": {"input": {"turn_detection": None}}}),
    _append(bytes(32)),
    _text(type="input_audio_buffer.append", audio="AA\\/A", event_id="e"),
    _text(type="input_audio_buffer.commit"),
    _text(type="input_audio_buffer.clear", event_id="x"),
    bytes([EVENTS, 0, 1, 9, 17, 3, 12]),
    bytes([EVENTS, 0, 1, 3, 0, 9, 3, 4, 28, 68, 132]),
)


def seeds() -> Iterator[bytes]:
    """Give what clients say, with turns and without, today and in the beta."""
    update, beta, manual, append, escaped, commit, clear, talk, talk2 = _STEPS
    yield b"\0" + join_steps([update, append, talk, append, commit, talk2])
    yield b"\1" + join_steps([beta, append, talk2, clear, talk])
    yield b"\0" + join_steps([manual, append, talk, commit, commit, talk2, escaped, commit, clear])
    start, more, end = (
        bytes([EVENTS, *choices]) for choices in ([0, 1, 9], [9, 25, 1], [3, 28, 4])
    )
    second = [append, more, commit]  # commits at an interval
    yield b"\0" + join_steps([manual, append, commit, start, *second * 3, end, append, commit])


_SCRIPT = script_mutation(split_steps, join_steps, (json_mutation(_WORDS), blind, blind), _STEPS)


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    return data[:1] + _SCRIPT(data[1:], rng, change)


TARGET = Target(
    run,
    seeds,
    _mutate,
    words=tuple(f'"{w}"'.encode() for w in _WORDS),
    max_bytes=1500,
    loop_bytes=2**20,
)
