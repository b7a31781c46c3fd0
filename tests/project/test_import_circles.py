"""No module of the package leads back to itself by imports, not even by those in functions.

Imports for type checkers only do not count.
"""

from graphlib import TopologicalSorter

import grimp
import pytest

pytestmark = pytest.mark.unit


def test_no_imports_form_a_circle() -> None:
    graph = grimp.build_graph("auricle", cache_dir=None, exclude_type_checking_imports=True)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # a CycleError has the modules of the circle
