"""Load a model in a worker: the start of a worker of jobs, and of one of partials."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from auricle.engine.base import EngineSettings
from auricle.errors import SetupError
from auricle.workers.process.channel import Channel, dump_frames
from auricle.workers.process.messages import StartAsr, StartFailed


class _Model(Protocol):
    def warm_up(self) -> None:
        """Run one real recognition."""
        ...


M = TypeVar("M", bound=_Model)


def load_model(
    channel: Channel, start: StartAsr, load: Callable[[str, EngineSettings], M]
) -> tuple[M, float] | None:
    """Load a model and warm it up.

    Args:
        channel: Receives the reason if that fails.
        start: The engine and the model.
        load: Loads a model of the engine of this name.

    Returns:
        The model and the seconds of its warm-up; ``None`` after a failure, after which the worker
        exits.
    """
    settings = EngineSettings(
        start.model, start.device, start.compute_type, start.threads, start.device_index
    )
    try:
        model = load(start.engine, settings)
        started_s = time.perf_counter()
        model.warm_up()
    except SetupError as exc:
        channel.send(StartFailed(str(exc)))
        return None
    except Exception as exc:  # no speech was received yet, so the message may be shown
        dump_frames(exc)
        channel.send(StartFailed(f"The engine cannot be loaded: {type(exc).__name__}: {exc}"))
        return None
    return model, time.perf_counter() - started_s
