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
    from auricle.cli.support.finding import Finding
    from auricle.engines.models import ModelTable
    from auricle.server.webhooks import OpenWebhooks
    from auricle.workers.poison import CrashBudget

    OpenEngine = Callable[[Settings, ModelTable, CrashBudget], Awaitable[Engine]]

HERE = Path(__file__).parent


def _no_engine(settings: Settings) -> "OpenEngine | None":
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSpec:
    """An optional part of the package.

    Attributes:
        group: Its group of commands, which may be one of the core; empty: none.
        help: The help of the group, if it is not one of the core.
        commands: Returns the functions of the commands, as :mod:`auricle.cli` adds them.
        engine: Returns what opens the recognition of a server, if it is not to use workers of this
            machine by the settings.
        checks: Returns its checks for ``auricle doctor``.
        webhooks: Returns what opens the webhooks of a server.
    """

    group: str = ""
    help: str = ""
    commands: Callable[[], Sequence[Callable[..., None]]]
    engine: "Callable[[Settings], OpenEngine | None]" = _no_engine
    checks: "Callable[[], Sequence[Callable[[Settings], Finding]]]" = tuple
    webhooks: "Callable[[], OpenWebhooks] | None" = None


def find_parts() -> tuple[PartSpec, ...]:
    """Return the parts of this installation, in alphabetical order of their folders."""
    return constants_of_folders("part", "PART", besides=HERE.name)


def webhooks_of_parts() -> "OpenWebhooks":
    """Return what opens the webhooks of a server: that of the part which sends them, if any."""
    from auricle.server.webhooks import no_webhooks

    found = (part.webhooks() for part in find_parts() if part.webhooks is not None)
    return next(found, no_webhooks)
