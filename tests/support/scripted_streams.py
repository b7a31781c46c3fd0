"""The scripted engine with streams: see :mod:`tests.support.scripted_engine`.

Each result is made of all samples of its stream, so it shows whether a stream has all its audio.
The model ``growing`` keeps 256 MB more with each call.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from auricle.engines.base import EngineSettings
from auricle.values.errors import AudioError
from auricle.values.types import Job, JobId, Options, Pcm16, Transcript
from tests.support import scripted_engine
from tests.support.scripted_engine import ScriptedEngine, load

GROWTH_BYTES = 256 * 2**20

SPEC = replace(scripted_engine.SPEC, streams=True)
__all__ = ["SPEC", "ScriptedStreams", "load", "load_streaming"]


def load_streaming(settings: EngineSettings) -> "ScriptedStreams":
    return ScriptedStreams(load(settings), GROWTH_BYTES if settings.model == "growing" else 0)


class ScriptedStreams:
    """Streams that are recognised by a scripted engine."""

    def __init__(self, engine: ScriptedEngine, growth_bytes: int) -> None:
        self._engine = engine
        self._growth_bytes = growth_bytes
        self._leaked: list[bytes] = []
        self._streams: dict[str, Job | Options] = {}

    def warm_up(self) -> None:
        self._engine.warm_up()

    def open(self, stream: str, options: Options) -> None:
        assert stream not in self._streams
        self._streams[stream] = options

    def feed(self, stream: str, pcm: Pcm16) -> None:
        before = self._streams[stream]
        if isinstance(before, Options):
            self._streams[stream] = Job(JobId(stream), pcm.copy(), before)
        else:
            joined = np.concatenate([before.pcm, pcm])
            self._streams[stream] = Job(JobId(stream), joined, before.options)

    def results(self, streams: Sequence[str]) -> list[Transcript | AudioError]:
        self._leaked.append(b"\x01" * self._growth_bytes)
        jobs = [job for stream in streams if isinstance(job := self._streams[stream], Job)]
        return self._engine.transcribe(jobs)

    def close(self, stream: str) -> None:
        del self._streams[stream]
