"""Let Auricle's own modules see the Python of another system.

What they import has the names, ``sys.platform`` and ``os.name`` of that system; other packages,
which have their makers' releases for it, see Linux. Paths remain those of POSIX, and what a system
has besides Linux, such as ``msvcrt``, is missing. Processes that this one starts do the same:
``sitecustomize`` calls :func:`install`.
"""

import asyncio
import builtins
import importlib
import importlib.machinery
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

from tests.portable.python_of import lacking

ROOT = Path(__file__).parents[2]
OS_NAMES = {"win32": "nt", "darwin": "posix"}


class _View(ModuleType):
    """A module without the names that a system lacks, and with some of other values."""

    def __init__(
        self, real: ModuleType, lacking: frozenset[str], values: dict[str, object]
    ) -> None:
        super().__init__(real.__name__, real.__doc__)
        vars(self).update(values)
        object.__setattr__(self, "_real", real)
        object.__setattr__(self, "_lacking", lacking)

    def __getattr__(self, name: str) -> Any:
        if name in self._lacking:
            raise AttributeError(f"this system has no {self.__name__}.{name}", name=name, obj=self)
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)


class _Finder:
    """Loads Auricle's modules with another ``import``."""

    def __init__(self, platform: str) -> None:
        self._absent = lacking(platform).modules
        self._names = lacking(platform).names
        self._values: dict[str, dict[str, object]] = {
            "sys": {"platform": platform},
            "os": {"name": OS_NAMES[platform]},
            "importlib": {"import_module": self._import_module},
        }
        self._views: dict[str, _View] = {}
        self.builtins = {**vars(builtins), "__import__": self._import}

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] != "auricle":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(self.builtins, spec.loader.name, spec.loader.path)
        return spec

    def _import(self, name: str, *context: Any) -> ModuleType:
        if name.partition(".")[0] in self._absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return self._view(__import__(name, *context))

    def _import_module(self, name: str, package: str | None = None) -> ModuleType:
        if name in self._absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return self._view(importlib.import_module(name, package))

    def _view(self, real: ModuleType) -> ModuleType:
        name = real.__name__
        if name not in self._names and name not in self._values:
            return real
        if name not in self._views:
            lacking = self._names.get(name, frozenset())
            self._views[name] = _View(real, lacking, self._values.get(name, {}))
        return self._views[name]


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, names: dict[str, object], fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._names = names

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._names
        super().exec_module(module)


def _not_implemented(*_: object) -> NoReturn:
    raise NotImplementedError


def install(platform: str) -> None:
    """Let modules of Auricle that are imported from now on see another system."""
    sys.meta_path.insert(0, _Finder(platform))
    if platform == "win32":  # docs.python.org/3/library/asyncio-platforms.html
        for name in ("add_signal_handler", "remove_signal_handler", "add_reader", "add_writer"):
            setattr(asyncio.SelectorEventLoop, name, _not_implemented)


def environment(folder: Path, platform: str, environ: dict[str, str]) -> dict[str, str]:
    """Return an environment in which every Python process sees another system.

    Args:
        folder: An empty folder.
        platform: A value of ``sys.platform``.
        environ: The environment to extend.
    """
    lines = ("from tests.portable.emulation import install", f"install({platform!r})")
    (folder / "sitecustomize.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = [str(folder), str(ROOT), *filter(None, [environ.get("PYTHONPATH")])]
    return environ | {"PYTHONPATH": os.pathsep.join(path)}
