"""What the command line knows of an optional part: :class:`PartSpec`, and who has one.

A part is a folder of the package with a module ``part`` whose ``PART`` is a :class:`PartSpec`.
APIs, engines and kinds of workers have other registries.
"""

import importlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import auricle
from auricle.config.settings import Settings

if TYPE_CHECKING:
    from auricle.cli.engine import Engine
    from auricle.engines.models import ModelTable
    from auricle.workers.poison import CrashBudget


HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class PartSpec:
    """An optional part of the package.

    Attributes:
        name: Its group of commands.
        help: The help of the group.
        commands: Returns the functions of the commands, as :mod:`auricle.cli` adds them.
        is_engine: Whether it recognises instead of workers of this machine, by the settings.
        open_engine: Returns what recognises then, not started.
    """

    name: str
    help: str
    commands: Callable[[], Sequence[Callable[..., None]]]
    is_engine: Callable[[Settings], bool]
    open_engine: "Callable[[Settings, ModelTable, CrashBudget], Awaitable[Engine]]"


def find_parts() -> tuple[PartSpec, ...]:
    """Return the parts of this installation, in alphabetical order of their folders."""
    package = Path(auricle.__file__).parent
    folders = sorted(path.parent.name for path in package.glob("*/part.py") if path.parent != HERE)
    return tuple(importlib.import_module(f"auricle.{name}.part").PART for name in folders)
