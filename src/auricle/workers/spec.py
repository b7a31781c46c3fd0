"""What an optional kind of workers provides: :class:`WorkerSpec`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from auricle.config.settings import Settings
from auricle.engines.models import Models
from auricle.workers.pool import Pool
from auricle.workers.process.poison import CrashBudget


@dataclass(frozen=True, slots=True)
class PoolContext:
    """What a pool of a server is built from.

    Attributes:
        settings: All settings.
        models: The models of this process.
        final_workers: Number of workers of finals, or of recognisers.
        crash_budget: Crash budget of the clients, shared by all pools.
        warn: Reports a problem to the operator: the log's event, and a sentence.
    """

    settings: Settings
    models: Models
    final_workers: int
    crash_budget: CrashBudget
    warn: Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """An optional kind of workers: the constant ``SPEC`` of the module ``spec`` in its folder.

    The name of the folder is that of the kind, in ``/health`` and as a label in ``/metrics``.

    Attributes:
        open: Returns the pool, not started; ``None`` if the settings or the machine exclude it.
        check: Checks the settings before models are fetched.
        is_started_late: Whether the workers start after those of finals; the first job starts those
            of other kinds.
    """

    open: Callable[[PoolContext], Awaitable[Pool[Any, Any] | None]]
    check: Callable[[Settings], None] = lambda settings: None
    is_started_late: bool = False
