"""Find the sections of optional folders and of other packages.

An optional folder has its section in a module ``settings``; without the folder, its variables are
not settings. Another package names its section by an entry point::

    [project.entry-points."auricle.settings"]
    subtitles = "subtitle_api:SubtitleSettings"
"""

import functools
import importlib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from auricle.config.section import Section
from auricle.values.errors import SetupError

GROUP = "auricle.settings"
_PACKAGE = Path(__file__).parents[1]
_MODULES = (
    "*/settings.py",
    "apis/*/settings.py",
    "ledger/audio/*/settings.py",
    "ledger/databases/*/settings.py",
    "workers/kinds/*/settings.py",
)
"""Where optional folders are; these modules import nothing but this folder."""
_CORE = (_PACKAGE / "cli/settings.py", _PACKAGE / "config/settings.py")


@functools.cache
def optional_sections() -> tuple[type[Section], ...]:
    """Return the sections, in alphabetical order of their places.

    Raises:
        SetupError: The entry point of a package is unusable.
    """
    found = {path for pattern in _MODULES for path in _PACKAGE.glob(pattern)}
    paths = sorted(found.difference(_CORE))
    return (*(each for path in paths for each in _sections_of(path)), *_others())


def _sections_of(path: Path) -> Iterator[type[Section]]:
    name = ".".join((_PACKAGE.name, *path.relative_to(_PACKAGE).with_suffix("").parts))
    for each in vars(importlib.import_module(name)).values():
        if isinstance(each, type) and issubclass(each, Section) and each.__module__ == name:
            yield each


def _others() -> Iterator[type[Section]]:
    for entry in sorted(entry_points(group=GROUP)):
        try:
            section: type[Section] = entry.load()
        except (ImportError, AttributeError) as exc:
            raise SetupError(
                f"The settings {entry.name!r} ({entry.value}) can't be read: {exc}. Fix or "
                "uninstall the package that provides them."
            ) from exc
        yield section
