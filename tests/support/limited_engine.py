"""An engine that knows German only and takes 3 s of audio: ``tests.support.limited_engine``.

It raises, as many models do, when it is asked for more; the worker then exits.
"""

from collections.abc import Sequence

from auricle.engines.base import EngineSettings, EngineSpec, NoModelFiles
from auricle.values.errors import AudioError
from auricle.values.types import Job, Transcript

SPEC = EngineSpec("limited", NoModelFiles("limited"), max_audio_s=3.0, languages=frozenset({"de"}))


def load(settings: EngineSettings) -> "LimitedEngine":
    return LimitedEngine()


class LimitedEngine:
    def warm_up(self) -> None: ...

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        for job in jobs:
            if job.options.language != "de" or job.pcm.size > SPEC.max_audio_samples:
                raise ValueError("unsupported job")
        return [Transcript("", "de", 1.0, job.pcm.size, ()) for job in jobs]
