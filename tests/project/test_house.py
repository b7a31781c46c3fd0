"""The core names no optional folder, and does not grow unseen."""

import pytest

from research.house import House

pytestmark = pytest.mark.unit

MAX_CORE_LINES = 29_000
"""Code lines that the process of ``auricle serve`` can import without any optional folder; 28,985
measured. Who makes the core larger changes this number, and says why."""


@pytest.fixture(scope="module")
def house() -> House:
    return House.of()


def test_nothing_imports_an_optional_folder(house: House) -> None:
    importers = {folder: house.imports_of(folder) for folder in house.optional}
    assert not {folder: found for folder, found in importers.items() if found}


def test_the_core_does_not_grow_unseen(house: House) -> None:
    core = house.served(with_optional=False)
    assert house.lines(core) <= MAX_CORE_LINES
    assert core < house.served(with_optional=True)
