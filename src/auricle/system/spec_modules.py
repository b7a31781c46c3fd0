"""Find the optional parts of a package: its folders that have a module ``spec``."""

import importlib.util
import pkgutil
from types import ModuleType


def find_spec_modules(package: ModuleType) -> dict[str, str]:
    """Return the name of the module ``spec`` of each folder, in alphabetical order of folders."""
    folders = sorted(each.name for each in pkgutil.iter_modules(package.__path__) if each.ispkg)
    modules = {name: f"{package.__name__}.{name}.spec" for name in folders}
    return {name: module for name, module in modules.items() if importlib.util.find_spec(module)}
