"""Find optional parts: the folders of a package that have a module of a certain name."""

import importlib
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = Path(__file__).parents[1]


def find_spec_modules(package: ModuleType) -> dict[str, str]:
    """Return the name of the module ``spec`` of each folder, in alphabetical order of folders."""
    folders = sorted(each.name for each in pkgutil.iter_modules(package.__path__) if each.ispkg)
    modules = {name: f"{package.__name__}.{name}.spec" for name in folders}
    return {name: module for name, module in modules.items() if importlib.util.find_spec(module)}


def find_specs(package: ModuleType) -> dict[str, Any]:
    """Return the constant ``SPEC`` of those modules, by folder in alphabetical order."""
    modules = find_spec_modules(package)
    return {name: importlib.import_module(module).SPEC for name, module in modules.items()}


def constants_of_folders(module: str, constant: str, *, besides: str = "") -> tuple[Any, ...]:
    """Return a constant of each folder of this package that has such a module.

    Args:
        module: Name of the module.
        constant: Name of its constant.
        besides: The folder whose module of this name defines the type.
    """
    paths = PACKAGE.glob(f"*/{module}.py")
    folders = sorted(path.parent.name for path in paths if path.parent.name != besides)
    modules = (importlib.import_module(f"{PACKAGE.name}.{folder}.{module}") for folder in folders)
    return tuple(getattr(each, constant) for each in modules)
