"""Find the optional kinds of workers: the folders in ``kinds`` that have a spec."""

from collections.abc import Mapping
from typing import Any

import auricle.workers.kinds
from auricle.system.spec_modules import find_specs
from auricle.workers.spec import PoolContext, WorkerSpec


def find_kinds() -> Mapping[str, WorkerSpec]:
    """Return the kinds of this installation by name, in alphabetical order."""
    return find_specs(auricle.workers.kinds)


async def open_workers(kinds: Mapping[str, WorkerSpec], context: PoolContext) -> Mapping[str, Any]:
    """Return the workers that the settings ask for, by kind; not started.

    Each is an :class:`.OpenWorkers`, and what the core uses of this kind.

    Raises:
        SetupError: Some can't be opened; the message says what to do.
    """
    opened = {name: await spec.open(context) for name, spec in kinds.items()}
    return {name: workers for name, workers in opened.items() if workers is not None}
