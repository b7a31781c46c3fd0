"""Deepgram's live dialect: ``[encoding and options][script]``, see :mod:`fuzz.talk`."""

from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import Any

import msgspec

from auricle.apis.deepgram.wire.live import DeepgramDialect
from auricle.apis.deepgram.wire.query import ENCODINGS, Listen, parse_listen
from auricle.apis.deepgram.wire.results import ModelInfo
from auricle.protocol.dialect import Companded
from auricle.values.commands import Configure
from auricle.values.errors import AuricleError
from fuzz.checks import pieces
from fuzz.grammars import join_steps, split_steps
from fuzz.mutation import blind, json_mutation, script_mutation
from fuzz.talk import BYTES, EVENTS, TEXT, Talk
from fuzz.target import Blind, Target
from tests.support.clips import TESTDATA

MODULES = ("auricle.apis.deepgram.wire.live", "auricle.apis.deepgram.wire.audio_input")
_ENCODINGS = (None, *ENCODINGS)
_OPTIONS = (
    ("interim_results", "true"),
    ("vad_events", "true"),
    ("endpointing", "300"),
    ("punctuate", "true"),
    ("utterance_end_ms", "1000"),
)
_WORDS = ("type", "KeepAlive", "Finalize", "CloseStream", "Configure", "keyterms", "Auricle")
_ID = "5b1d2a8e-0000-4000-8000-000000000000"
_MODEL = ModelInfo("base", "1", "whisper")
_KEEP_ALIVE, _FINALIZE, _CLOSE = (
    bytes([TEXT]) + f'{{"type":"{name}"}}'.encode()
    for name in ("KeepAlive", "Finalize", "CloseStream")
)
_CONFIGURE = bytes([TEXT]) + b'{"type":"Configure","keyterms":["Auricle"]}'


class _Checker:
    """Results follow one another in time; each utterance has one that is final."""

    def __init__(self) -> None:
        self.finals = self.answers = 0
        self._end_s = 0.0

    def __call__(self, text: str) -> None:
        message: dict[str, Any] = msgspec.json.decode(text)
        if message["type"] != "Results":
            return
        assert message["duration"] >= 0, "a result ends before it starts"
        if message["is_final"]:
            assert message["start"] >= self._end_s - 0.002, "results overlap"
            self._end_s = message["start"] + message["duration"]
            is_empty = (
                message["from_finalize"] and not message["channel"]["alternatives"][0]["words"]
            )
            self.answers += is_empty
            self.finals += 1


@lru_cache(maxsize=256)
def _asked(options: int) -> Listen:
    encoding = _ENCODINGS[options % len(_ENCODINGS)]
    query = [pair for bit, pair in enumerate(_OPTIONS, 3) if options >> bit & 1]
    if encoding is not None:
        query += [("encoding", encoding), ("sample_rate", "8000")]
    return parse_listen(query)


def _dialect(options: int) -> DeepgramDialect:
    return DeepgramDialect(_asked(options), request_id=_ID, created="now", model=_MODEL)


def run(data: bytes) -> None:
    """Play a script; what its audio is does not depend on how it is cut."""
    if not data:
        return
    checker = _Checker()
    talk = Talk(_dialect(data[0]), checker)
    talk.play(data[1:])
    sent = talk.story.sent_finals
    assert sent <= checker.finals <= sent + checker.answers, "a final is sent twice, or never"
    audio = b"".join(step[1:] for step in split_steps(data[1:]) if step[0] % 3 == BYTES)
    if b"{" in audio:  # a text message sent as binary is one only if it is whole
        return
    if audio and (parted := _heard(data[0], pieces(audio))) is not None:
        whole = _heard(data[0], iter((audio,)))
        assert whole == parted, "another split gives something else"


def _heard(options: int, chunks: Iterator[bytes]) -> object:
    dialect = _dialect(options)
    heard: list[object] = []
    sound = b""
    try:
        for chunk in chunks:
            for step in dialect.receive_bytes(chunk):
                match step:
                    case Companded(data, law):
                        sound += data
                        heard = [one for one in heard if one is not law] + [law]
                    case bytes():
                        sound += step
                    case Configure():
                        heard.append(step)
    except AuricleError as error:
        return type(error), str(error)
    return heard, sound


def seeds() -> Iterator[bytes]:
    """Give what SDKs send, in each encoding."""
    talk = bytes([EVENTS, 0, 1, 9, 3, 0, 17, 6, 12, 6, 3, 20, 6, 14])
    wav = (TESTDATA / "fellow.wav").read_bytes()[:120]
    for options, head in enumerate(
        (wav, bytes(20), bytes(20), bytes(20), b"\x48\xff\xfe", (b"OggS" + bytes(40)))
    ):
        steps = [bytes([BYTES]) + head, talk, _FINALIZE, talk, _KEEP_ALIVE, _CONFIGURE, _CLOSE]
        yield bytes([options | 0xF8]) + join_steps(steps)
    half = bytes([BYTES]) + wav[:20], bytes([BYTES]) + wav[20:]
    yield b"\0" + join_steps([*half, _FINALIZE, talk, bytes([BYTES])])
    yield b"\0" + join_steps([bytes([BYTES]) + b"\x1a\x45\xdf\xa3" + bytes(9), _FINALIZE])


_SPARE = (_KEEP_ALIVE, _FINALIZE, _CLOSE, _CONFIGURE, bytes([EVENTS, 0, 1, 3]), bytes([EVENTS, 4]))
_SCRIPT = script_mutation(split_steps, join_steps, (json_mutation(_WORDS), blind, blind), _SPARE)


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    return data[:1] + _SCRIPT(data[1:], rng, change)


TARGET = Target(
    run, seeds, _mutate, words=tuple(f'"{w}"'.encode() for w in _WORDS), loop_bytes=2**16
)
