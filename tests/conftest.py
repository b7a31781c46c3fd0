"""What all tests share."""

import gc
import os
import re
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
import structlog
from coverage import Coverage
from hypothesis import Phase, is_hypothesis_test, settings

from auricle.system.machine import usable_cores
from auricle.workers.priority import YIELDS
from tests.surroundings import MEASURED, ROOT, settle

settle()

# No property is timed: a busy machine would fail it. The same examples are tried each time, so
# that a change fails by its own fault. `make verify` tries new ones, and prints how to repeat them.
settings.register_profile(
    "auricle",
    deadline=None,
    derandomize=os.environ.get("PROPERTIES") != "random",
    database=None,
    print_blob=True,
)
# For research/mutants.py: the same examples each time, and one that fails is enough.
settings.register_profile(
    "mutants",
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("auricle")

# On a machine that computes, partials and labels would wait for an idle core without end.
os.environ[YIELDS] = "0"

# Scripted engines leave marks in the tests' folders, and coverage writes next to the sources.
WRITABLE = f"{tempfile.gettempdir()},{ROOT}"
os.environ["AURICLE_SANDBOX_FOLDERS"] = WRITABLE


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def speakers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count who speaks from the first sample on: the average takes 2.5 s to rise to one."""
    monkeypatch.setattr("auricle.server.live.admission.activity.RISE_S", 1e-3)


ROOMS = {path.name for path in (ROOT / "src/auricle").iterdir()}
COVERAGE = os.environ.get(MEASURED)
MEASUREMENT = Coverage.current()
POOL = re.compile("[/_]pool")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Never look for garbage among the tests, which stay: it takes a quarter of this time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Undo what a test before has configured, such as the least level that is logged.

    Coverage, which makes code take 1.8 times as long, is measured for tests of one room, in child
    processes too. Those of several rooms, as in `tests/resilience`, and properties reach nothing
    that the rooms' examples do not, and the workers of pools nothing that their own tests do not.
    """
    structlog.reset_defaults()
    path = item.path.relative_to(ROOT / "tests")
    is_of_room = path.parts[0] in ROOMS
    if COVERAGE is not None and is_of_room and not POOL.search(str(path)):
        os.environ[MEASURED] = COVERAGE
    else:
        os.environ.pop(MEASURED, None)
    if MEASUREMENT is not None:
        is_property = is_hypothesis_test(getattr(item, "obj", None))
        is_measured = is_of_room and not is_property
        if is_measured != (Coverage.current() is not None):
            (MEASUREMENT.start if is_measured else MEASUREMENT.stop)()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run two workers for each core and one more: most tests wait for processes or sockets.

    With three on two cores, 60 % of the processor time was idle.
    """
    return min(8, 2 * usable_cores() + 1)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no test module that has no test with the mark that is selected."""
    mark = re.match(r"(unit|smoke|wall_clock|slow)\b", config.option.markexpr)
    if mark is not None and collection_path.suffix == ".py":
        return f"mark.{mark[1]}".encode() not in collection_path.read_bytes() or None
    return None


MARKERS_BY_DURATION = ("slow", "model", "process", "server", "unit")
OF_REPOSITORY = (ROOT / "tests/project", ROOT / "tests/supply")


@pytest.hookimpl(tryfirst=True)  # before tests are selected by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make check-fast` runs, and begin with the modules that take longest.

    So parallel workers end together.
    """
    ranks: dict[Path, int] = {}
    for item in items:
        names = {mark.name for mark in item.iter_markers()}
        if "unit" in names and item.path.parent in OF_REPOSITORY:
            item.add_marker(pytest.mark.project)
        rank = next((i for i, name in enumerate(MARKERS_BY_DURATION) if name in names), 0)
        ranks[item.path] = min(rank, ranks.get(item.path, rank))
    items.sort(key=lambda item: ranks[item.path])
