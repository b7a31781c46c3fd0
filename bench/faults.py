"""The real engine with real faults inside: ``bench.faults:load`` as AURICLE_ENGINE.

A file of a fault's name in the folder AURICLE_BENCH_FAULTS makes it happen once, in whichever
worker removes the file first, in the middle of a batch.
"""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

from auricle.engine import EngineSettings
from auricle.engine.short_window import ShortWindowEngine
from auricle.engine.short_window import load as load_engine
from auricle.errors import AudioError
from auricle.types import Job, Transcript

CHUNK_BYTES = 64 * 2**20


def load(settings: EngineSettings) -> "FaultyEngine":
    return FaultyEngine(load_engine(settings))


class FaultyEngine:
    """An engine that crashes or eats memory on demand."""

    def __init__(self, engine: ShortWindowEngine) -> None:
        self._engine = engine
        self.name = engine.name
        self.max_batch_jobs = engine.max_batch_jobs
        self._faults = Path(os.environ["AURICLE_BENCH_FAULTS"])

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
        return self._engine.transcribe(jobs)

    def _is_due(self, fault: str) -> bool:
        try:
            (self._faults / fault).unlink()
        except FileNotFoundError:
            return False
        return True
