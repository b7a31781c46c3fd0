"""An engine whose library ends the process: ``tests.support.dying_engine``.

AURICLE_MODEL says when and how: ``load-exit``, ``load-signal`` or ``job-signal``.
"""

import os
import signal
from collections.abc import Sequence

from auricle.engines.base import EngineSettings, EngineSpec, NoModelFiles
from auricle.values.errors import AudioError
from auricle.values.types import Job, Transcript

SPEC = EngineSpec("dying", models=NoModelFiles("dying"))


def load(settings: EngineSettings) -> "DyingEngine":
    if settings.model == "load-exit":
        os._exit(255)
    if settings.model == "load-signal":
        os.kill(os.getpid(), signal.SIGKILL)
    return DyingEngine()


class DyingEngine:
    def warm_up(self) -> None:
        pass

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("it was killed")
