"""A pool of worker processes with any engine."""

from auricle.config.sections.model import ModelSettings
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.placement import Placement
from auricle.engines.registry import find_engine
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.kinds.asr.pool import WorkerPool

SCRIPTED = "tests.support.scripted_engine"


def worker_pool(
    worker: WorkerSettings,
    queue: QueueSettings | None = None,
    *,
    engine: str = SCRIPTED,
    model: str | None = None,
    crash_audio: CrashAudio | None = None,
    **settings: object,
) -> WorkerPool:
    """Return a pool that was not started; ``settings`` are further settings of the model."""
    chosen = ModelSettings.model_validate({"engine": engine, "model": model} | settings)
    spec = find_engine(engine)
    return WorkerPool(
        Placement(worker, chosen, spec, spec.models.find(chosen)),
        queue or QueueSettings(),
        crash_audio,
    )
