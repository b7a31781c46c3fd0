"""Find the optional kinds of workers: the folders in ``kinds`` that have a spec."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from typing import Any

import auricle.workers.kinds
from auricle.workers.spec import PoolContext, WorkerSpec


def find_kinds() -> Mapping[str, WorkerSpec]:
    """Return the kinds of this installation by name, in alphabetical order."""
    package = auricle.workers.kinds
    folders = sorted(each.name for each in pkgutil.iter_modules(package.__path__) if each.ispkg)
    modules = {name: f"{package.__name__}.{name}.spec" for name in folders}
    return {
        name: importlib.import_module(module).SPEC
        for name, module in modules.items()
        if importlib.util.find_spec(module) is not None
    }


async def open_workers(kinds: Mapping[str, WorkerSpec], context: PoolContext) -> Mapping[str, Any]:
    """Return the workers that the settings ask for, by kind; not started.

    Each is an :class:`.OpenWorkers`, and what the core uses of this kind.

    Raises:
        SetupError: Some can't be opened; the message says what to do.
    """
    opened = {name: await spec.open(context) for name, spec in kinds.items()}
    return {name: workers for name, workers in opened.items() if workers is not None}
