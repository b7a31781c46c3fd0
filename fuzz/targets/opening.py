"""Opening a file: ``[format][tail length][repeats][data]``; the tail comes 8 x repeats times more.

A file that costs much to open is mostly one thing again and again; the repeats let a short input be
such a file.
"""

import math
import tempfile
import time
from collections.abc import Iterator
from random import Random
from struct import Struct

from auricle.audio.opus import find_libopus
from auricle.values.errors import AudioError, RequestError
from auricle.values.types import SAMPLE_RATE_HZ, Source
from auricle.workers.kinds.decode.input_file import InputFile
from auricle.workers.kinds.decode.reader import open_reader
from fuzz.grammars import (
    join_chunks,
    join_elements,
    join_packets,
    join_pages,
    split_chunks,
    split_elements,
    split_packets,
    split_pages,
)
from fuzz.material import PACKETS
from fuzz.mutation import Grammar, blind
from fuzz.target import Blind, Mutate, Target
from tests.support.clips import CLIPS, TESTDATA
from tests.support.containers import muxed

MODULES = (
    "auricle.workers.kinds.decode.container",
    "auricle.workers.kinds.decode.input_file",
    "auricle.workers.kinds.decode.raw",
    "auricle.workers.kinds.decode.reader",
)
_HEAD = Struct("<BHH")
_FORMATS = ("auto", "opus", "pcm16")
_MAX_FILE_BYTES = 2**21
_MAX_SAMPLES = 60 * SAMPLE_RATE_HZ
_MAX_READS = 4
_MAX_CPU_S = 0.1
"""Limits for :mod:`auricle.workers.kinds.decode.container` that a short file can reach."""
_SPARE_CPU_S = 2.0
"""For the code between two reads of the file, where no limit is checked, under coverage too."""
_LIBRARY = find_libopus()
_SPEECH = CLIPS["short.wav"].pcm[: SAMPLE_RATE_HZ // 4]


class _HurriedFile(InputFile):
    def limit(self, *, max_bytes: float = math.inf, max_cpu_s: float = math.inf) -> None:
        super().limit(max_bytes=max_bytes, max_cpu_s=min(max_cpu_s, _MAX_CPU_S))


def _file_of(data: bytes, tail_bytes: int, repeats: int) -> bytes:
    tail = data[max(0, len(data) - tail_bytes) :]
    more = min(8 * repeats, _MAX_FILE_BYTES // max(1, len(tail)))
    return data + tail * more


def run(data: bytes) -> None:
    """Open a file and read its start; neither may take much processor time."""
    if len(data) < _HEAD.size:
        return
    format, tail_bytes, repeats = _HEAD.unpack_from(data)
    source = Source("", _FORMATS[format % len(_FORMATS)])
    with tempfile.NamedTemporaryFile(buffering=0) as stored:
        stored.write(_file_of(data[_HEAD.size :], tail_bytes, repeats))
        file = _HurriedFile(stored.name)
        began_s = time.thread_time()
        try:
            reader = open_reader(file, source, _LIBRARY, _MAX_SAMPLES)
        except (AudioError, RequestError):
            return
        finally:
            assert time.thread_time() - began_s < _MAX_CPU_S + _SPARE_CPU_S, "slow to open"
        try:
            for _ in range(_MAX_READS):
                began_s = time.thread_time()
                block = reader.read()
                assert time.thread_time() - began_s < _MAX_CPU_S + _SPARE_CPU_S, "slow to read"
                if block is None:
                    break
        except (AudioError, RequestError):
            pass
        finally:
            reader.close()


def seeds() -> Iterator[bytes]:
    """Give a short file of each format, and some whose end is repeated."""
    wav = muxed(_SPEECH, "wav", codec="pcm_s16le", is_live=False)
    for file in (
        wav,
        muxed(_SPEECH, "ogg", is_live=False),
        muxed(_SPEECH, "webm", is_live=False),
        muxed(_SPEECH, "mp4", is_live=False),
        (TESTDATA / "fellow.flac").read_bytes()[:6000],
        (TESTDATA / "fellow.mp3").read_bytes()[:4000],
    ):
        yield _HEAD.pack(0, 0, 0) + file
        yield _HEAD.pack(0, 200, 1000) + file
    yield _HEAD.pack(0, 8, 65535) + wav[:36] + b"junk" + bytes(4)
    yield _HEAD.pack(0, 8, 65535) + wav + b"junk" + bytes(4)
    framed = join_packets(PACKETS)
    yield _HEAD.pack(1, len(framed), 100) + framed
    yield _HEAD.pack(1, 3, 65535) + framed + b"\1\0\3"
    yield _HEAD.pack(2, 100, 100) + _SPEECH.tobytes()


_SHAPES: tuple[tuple[bytes, Mutate], ...] = (
    (b"RIFF", Grammar(split_chunks, join_chunks).mutate),
    (b"OggS", Grammar(split_pages, join_pages).mutate),
    (b"\x1a\x45\xdf\xa3", Grammar(split_elements, join_elements).mutate),
)


def _mutate(data: bytes, rng: Random, change: Blind) -> bytes:
    if len(data) < _HEAD.size or rng.random() < 0.1:
        return change(data)
    head, file = data[: _HEAD.size], data[_HEAD.size :]
    format = _FORMATS[head[0] % len(_FORMATS)]
    mutate: Mutate = blind if format != "opus" else Grammar(split_packets, join_packets).mutate
    for signature, of_shape in _SHAPES:
        if file.startswith(signature):
            mutate = of_shape
    if rng.random() < 0.1:
        head = _HEAD.pack(
            head[0], rng.choice((1, 2, 8, 40, 500)), rng.choice((0, 0, 9, 999, 65535))
        )
    return head + mutate(file, rng, change)


TARGET = Target(run, seeds, _mutate, words=(b"RIFF", b"ftyp", b"moov", b"fLaC"), max_bytes=12_000)
