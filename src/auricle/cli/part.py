"""What the command line knows of an optional part: :class:`PartSpec`, and who has one.

A part is a folder of the package with a module ``part`` whose ``PART`` is a :class:`PartSpec`.
APIs, engines and kinds of workers have other registries.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.config.settings import Settings
from auricle.system.spec_modules import constants_of_folders

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
    return constants_of_folders("part", "PART", besides=HERE.name)
