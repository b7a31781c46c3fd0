"""``tests/`` mirrors ``src/``: each module with behaviour is tested at its path or by its room.

Tests of ``room/module.py`` are ``room/test_module.py``, ``room/test_module_FEATURE.py`` or files in
the folder ``room/module/``; those of a whole room are ``room/test_room.py``. A module needs no file
if tests in the folder of its room import it, since one behaviour may be that of several modules.
Tests of several rooms are in folders named by purpose.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src/auricle"
BY_PURPOSE = {
    "accuracy": "the text of real speech",
    "apis": "what holds in every wire API",
    "bench": "the benchmarks",
    "clients": "clients of others, run by `make test-clients`",
    "conformance": "every transcriber in the same way",
    "deploy": "the files of deploy/",
    "fuzz": "the fuzz targets",
    "gate": "what `.ci/run` and `make verify` run",
    "images": "the container images, run by `make test-images`",
    "optional": "the package without a folder, run by `make test-optional`",
    "portable": "what is promised on Windows and macOS",
    "project": "the repository itself",
    "research": "measurements",
    "resilience": "faults while everything runs",
    "supply": "dependencies and licences",
    "support": "what tests share",
}
TESTED_ELSEWHERE = {
    "cluster/ray/router.py": "runs in processes of Ray only: tests/cluster/ray/test_up.py",
}
SPECS = "*/*/spec.py"
"""The tests of an API's routes and ports test what its spec mounts, and those of the registry of
workers open what their specs do."""


def modules() -> list[Path]:
    return [path.relative_to(SOURCE) for path in sorted(SOURCE.rglob("*.py"))]


def has_behaviour(module: Path) -> bool:
    """Return whether a module has statements to run, besides declarations and protocols."""

    def is_stub(body: list[ast.stmt]) -> bool:
        rest = body[1:] if ast.get_docstring(ast.Module(body, [])) is not None else body
        return all(isinstance(each, ast.Expr) for each in rest)  # ... or nothing

    nodes = ast.walk(ast.parse((SOURCE / module).read_text(encoding="utf-8")))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(node, functions) and not is_stub(node.body) for node in nodes)


def find_tests(module: Path) -> list[Path]:
    room, name = TESTS / module.parent, module.stem
    return [
        *room.glob(f"test_{name}.py"),
        *room.glob(f"test_{name}_*.py"),
        *(room / name).glob("test_*.py"),
    ]


def imported_by_tests_of(room: Path) -> set[str]:
    """Return what the tests of a room import, as dotted names: modules and what is in them."""
    alone, together = TESTS / room, (TESTS / room.parent).glob(f"test_{room.name}*.py")
    files = [*alone.rglob("test_*.py"), *together]
    names: set[str] = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def is_tested_by_its_room(module: Path) -> bool:
    room = module.parent
    name = ".".join(("auricle", *module.with_suffix("").parts))
    return room != Path() and name in imported_by_tests_of(room)


def test_every_module_with_behaviour_is_tested_at_the_same_path_or_by_its_room() -> None:
    missing = [
        str(module)
        for module in modules()
        if module.name != "__init__.py"
        and str(module) not in TESTED_ELSEWHERE
        and not module.match(SPECS)
        and has_behaviour(module)
        and not find_tests(module)
        and not is_tested_by_its_room(module)
    ]
    assert not missing, f"modules without tests: {missing}"


def files_of_tests() -> Iterator[Path]:
    return (path.relative_to(TESTS) for path in sorted(TESTS.rglob("test_*.py")))


def is_mirrored(test: Path) -> bool:
    room, name = SOURCE / test.parent, test.stem.removeprefix("test_")
    if room.with_suffix(".py").exists():
        return True
    names = [name[:end] for end, char in enumerate(f"{name}_") if char == "_" and end]
    return room.name in names or any(
        (room / f"{each}.py").exists() or (room / each / "__init__.py").exists() for each in names
    )


def test_every_test_file_mirrors_a_module_or_is_in_a_folder_named_by_purpose() -> None:
    stray = [
        str(test)
        for test in files_of_tests()
        if test.parts[0] not in BY_PURPOSE and not is_mirrored(test)
    ]
    assert not stray, f"test files without a module: {stray}"
