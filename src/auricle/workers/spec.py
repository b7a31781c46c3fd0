"""What an optional kind of workers provides: :class:`WorkerSpec`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from auricle.config.settings import Settings
from auricle.engines.models import Models
from auricle.values.transcriber import Stats
from auricle.workers.poison import CrashBudget


@dataclass(frozen=True, slots=True)
class PoolContext:
    """What a pool of a server is built from.

    Attributes:
        settings: All settings.
        models: The models of this process.
        final_workers: Number of workers of finals, or of recognisers.
        is_gateway: Whether other machines recognise, so that this one may be small.
        crash_budget: Crash budget of the clients, shared by all pools.
        warn: Reports a problem to the operator: the log's event, and a sentence.
    """

    settings: Settings
    models: Models
    final_workers: int
    is_gateway: bool
    crash_budget: CrashBudget
    warn: Callable[[str, str], None]


class OpenWorkers(Protocol):
    """The workers of a kind, and what they do for a server."""

    async def start(self) -> None:
        """Accept jobs, and start the workers unless the first job does."""
        ...

    async def aclose(self) -> None:
        """Fail all jobs and stop the workers."""
        ...

    def stats(self) -> Stats:
        """Return a snapshot of the current state; cheap, never waits."""
        ...


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """An optional kind of workers: the constant ``SPEC`` of the module ``spec`` in its folder.

    The name of the folder is that of the kind, in ``/health`` and as a label in ``/metrics``.

    Attributes:
        open: Returns the workers, not started; ``None`` if the settings exclude them.
            They also fulfil the protocol of their kind in :mod:`auricle.values`.
        check: Checks the settings before models are fetched.
        is_started_late: Whether the workers start after those of finals; the first job starts those
            of other kinds.
    """

    open: Callable[[PoolContext], Awaitable[OpenWorkers | None]]
    check: Callable[[Settings], None] = lambda settings: None
    is_started_late: bool = False
