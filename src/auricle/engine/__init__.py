"""Speech models. Heavy imports are in this package's modules and happen only in workers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from auricle.errors import AudioError
from auricle.types import Job, Transcript


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Arguments of an engine's factory, in the worker."""

    model: str
    device: str
    compute_type: str
    threads: int
    device_index: int = 0
    """Index of the GPU, if there are several."""


class Engine(Protocol):
    """A loaded speech model: turns a batch of jobs into plain results.

    Runs in a worker process, one batch at a time. An exception other than a returned
    ``AudioError`` means that the model's state is unknown: the worker then exits.
    """

    name: str
    """The model's name, as ``/health`` reports it."""
    max_batch_jobs: int
    """Maximum batch size that makes this engine faster."""
    slowest_factor: float
    """Maximum ratio of a job's time to its usual time, by the engine's decoding strategy. Job
    timeouts allow for it; 1 for an engine that does not set it."""

    def warm_up(self) -> None:
        """Run one real transcription, so that no client's request includes the first-run costs."""
        ...

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        """Return one result for each job, in order; times count from each job's first sample."""
        ...


EngineFactory = Callable[[EngineSettings], Engine]
"""Load a model. Raises ``SetupError`` with a message for the operator if that fails."""
