"""An engine with real faults inside: ``tests.support.faulty_engine`` as AURICLE_ENGINE.

A file of a fault's name in the folder AURICLE_BENCH_FAULTS makes it happen once, in whichever
worker removes the file first, in the middle of a batch. AURICLE_BENCH_ENGINE names the engine that
does the work, the real one if it is not set; AURICLE_BENCH_PACE makes it take so many seconds more
for each second of speech, and AURICLE_BENCH_CHUNK_PACE the same for chunks of files only.
AURICLE_BENCH_CHUNKS names a file to which it adds a line for each chunk
of a file that it begins: a checksum of the samples, and their number.
"""

import ctypes
import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from auricle.engines.base import Engine, EngineSettings
from auricle.engines.registry import find_engine, find_factory
from auricle.values.errors import AudioError
from auricle.values.types import SAMPLE_RATE_HZ, Job, Transcript

CHUNK_BYTES = 64 * 2**20
ENGINE = os.environ.get("AURICLE_BENCH_ENGINE", "whisper")

SPEC = find_engine(ENGINE)


class BegunChunk(NamedTuple):
    """A chunk of a file that the engine has begun."""

    checksum: str
    audio_s: float


def begun_chunks(path: Path) -> list[BegunChunk]:
    """Return the chunks that the file AURICLE_BENCH_CHUNKS names, in the order of their begin."""
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = (line.split() for line in lines)
    return [BegunChunk(checksum, int(samples) / SAMPLE_RATE_HZ) for checksum, samples in pairs]


def load(settings: EngineSettings) -> "FaultyEngine":
    return FaultyEngine(find_factory(ENGINE)(settings))


class FaultyEngine:
    """An engine that crashes, eats memory or takes its time on demand."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._faults = Path(os.environ["AURICLE_BENCH_FAULTS"])
        self._pace = float(os.environ.get("AURICLE_BENCH_PACE", "0"))
        self._chunk_pace = float(os.environ.get("AURICLE_BENCH_CHUNK_PACE", "0"))
        self._chunks = os.environ.get("AURICLE_BENCH_CHUNKS")

    def warm_up(self) -> None:
        """Warm the real one up."""
        self._engine.warm_up()

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        """Transcribe, unless a fault is due."""
        if self._is_due("segfault"):
            ctypes.string_at(0)
        if self._is_due("memory"):
            eaten = []
            while True:
                eaten.append(b"\x01" * CHUNK_BYTES)
        self._note_chunks(jobs)
        samples = sum(job.pcm.size for job in jobs)
        chunk_samples = sum(job.pcm.size for job in jobs if job.options.is_chunk)
        time.sleep((self._pace * samples + self._chunk_pace * chunk_samples) / SAMPLE_RATE_HZ)
        return self._engine.transcribe(jobs)

    def _note_chunks(self, jobs: Sequence[Job]) -> None:
        if self._chunks is None:
            return
        chunks = [job.pcm for job in jobs if job.options.is_chunk]
        with open(self._chunks, "a") as file:  # one short write: no lines are mixed
            file.write("".join(f"{zlib.crc32(pcm.tobytes())} {pcm.size}\n" for pcm in chunks))

    def _is_due(self, fault: str) -> bool:
        try:
            (self._faults / fault).unlink()
        except FileNotFoundError:
            return False
        return True
