"""An engine with real faults inside: ``tests.support.faulty_engine`` as AURICLE_ENGINE.

A file of a fault's name in the folder AURICLE_BENCH_FAULTS makes it happen once, in whichever
worker removes the file first, in the middle of a batch. AURICLE_BENCH_ENGINE names the engine that
does the work, the real one if it is not set; AURICLE_BENCH_PACE makes it take so many seconds more
for each second of speech.
"""

import ctypes
import os
import time
from collections.abc import Sequence
from pathlib import Path

from auricle.engine.base import Engine, EngineSettings
from auricle.engine.registry import find_engine, find_factory
from auricle.errors import AudioError
from auricle.types import SAMPLE_RATE_HZ, Job, Transcript

CHUNK_BYTES = 64 * 2**20
ENGINE = os.environ.get("AURICLE_BENCH_ENGINE", "whisper")

SPEC = find_engine(ENGINE)


def load(settings: EngineSettings) -> "FaultyEngine":
    return FaultyEngine(find_factory(ENGINE)(settings))


class FaultyEngine:
    """An engine that crashes, eats memory or takes its time on demand."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._faults = Path(os.environ["AURICLE_BENCH_FAULTS"])
        self._pace = float(os.environ.get("AURICLE_BENCH_PACE", "0"))

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
        time.sleep(self._pace * sum(job.pcm.size for job in jobs) / SAMPLE_RATE_HZ)
        return self._engine.transcribe(jobs)

    def _is_due(self, fault: str) -> bool:
        try:
            (self._faults / fault).unlink()
        except FileNotFoundError:
            return False
        return True
