"""Instrument the modules that are fuzzed, and no others.

``atheris.instrument_imports(include=...)`` looks at the top-level package of each name alone: it
instruments all of ``auricle`` and ``fuzz``. Then a target spends most of its time in counters of
modules that it isn't for, and its corpus grows with inputs that only those find new.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

from atheris.import_hook import AtherisMetaPathFinder

from fuzz.target import is_inside


class _Finder(AtherisMetaPathFinder):  # type: ignore[misc]
    """Atheris' finder for modules by their full names, and those inside them."""

    def __init__(self, names: Sequence[str]) -> None:
        packages = {name.partition(".")[0] for name in names}
        super().__init__(packages, set(), enable_loader_override=True, trace_dataflow=True)
        self._names = tuple(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification of a module to instrument; ``None`` for others."""
        if not is_inside(fullname, self._names):
            return None
        spec: ModuleSpec | None = super().find_spec(fullname, path, target)
        return spec


@contextmanager
def instrumented(names: Sequence[str]) -> Iterator[None]:
    """Instrument these modules if they are imported inside this context."""
    finder = _Finder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
