"""Speech models. Heavy imports live in this room's modules and happen only inside a worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from auricle.errors import AudioError
from auricle.types import Job, Transcript


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine's factory is given, inside the worker."""

    model: str
    device: str
    compute_type: str
    threads: int
    device_index: int = 0
    """Which of several GPUs."""


class Engine(Protocol):
    """A loaded speech model: a batch of jobs in, plain results out.

    Runs in a worker process, one batch at a time. An exception other than a returned
    ``AudioError`` means that the model's state is unknown: the worker then exits.
    """

    name: str
    """The model, as ``/health`` shows it."""
    max_batch_jobs: int
    """Most jobs that this engine gains from having together."""
    slowest_factor: float
    """How many times its usual time a job may take at most, by how it is worked on: budgets allow
    for it. An engine that doesn't say has 1."""

    def warm_up(self) -> None:
        """Run one real transcription, so that no user pays for the first one."""
        ...

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | AudioError]:
        """Return one result for each job, in order; times count from each job's first sample."""
        ...


EngineFactory = Callable[[EngineSettings], Engine]
"""Loads a model. Raises ``SetupError`` with words for the operator if it can't."""
