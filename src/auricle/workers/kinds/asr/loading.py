"""Load a model in a worker: the start of a worker of jobs, and of one of partials."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from auricle.engines.base import EngineSettings
from auricle.values.errors import SetupError
from auricle.workers.child.channel import dump_frames
from auricle.workers.kinds.asr.messages import StartAsr


class _Model(Protocol):
    def warm_up(self) -> None:
        """Run one real recognition."""
        ...


M = TypeVar("M", bound=_Model)


def load_model(start: StartAsr, load: Callable[[str, EngineSettings], M]) -> tuple[M, float]:
    """Load a model and warm it up; return it, and the seconds of its warm-up.

    Args:
        start: The engine and the model.
        load: Loads a model of the engine of this name.

    Raises:
        SetupError: It can't be loaded.
    """
    settings = EngineSettings(
        start.model, start.device, start.compute_type, start.threads, start.device_index
    )
    try:
        model = load(start.engine, settings)
        started_s = time.perf_counter()
        model.warm_up()
    except SetupError:
        raise
    except Exception as exc:  # no speech was received yet, so the message may be shown
        dump_frames(exc)
        raise SetupError(f"The engine cannot be loaded: {type(exc).__name__}: {exc}") from exc
    return model, time.perf_counter() - started_s
