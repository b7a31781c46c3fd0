"""The core names no optional folder, and does not grow unseen."""

import pytest

from research.house import House

pytestmark = pytest.mark.unit

WORDS = {"pages", "readers", "transcripts"}
"""APIs whose names are ordinary words."""
OUTSIDE = {
    "azure": ["src/auricle/apis/openai_realtime"],  # a comment on a field that Azure's clients send
    "openai_realtime": ["src/auricle/apis/azure"],  # has its routes at other paths
}

MAX_CORE_LINES = 27_473
"""Code lines that the process of ``auricle serve`` can import without any optional folder; 27,448
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


def test_the_core_and_its_tests_name_no_optional_api(house: House) -> None:
    """``tests/support`` has what tests of several folders share, ``tests/project`` the pages."""
    allowed = ("tests/apis", "tests/clients", "tests/support", "tests/project")
    for api in (folder.removeprefix("apis/") for folder in house.optional if "apis/" in folder):
        places = [
            place
            for place in house.places_of(api)
            if place.startswith(("src/", "tests/", "fuzz/", "research/"))
            and place != f"src/auricle/apis/{api}"
            and not place.startswith(allowed)
        ]
        assert api in WORDS or places == OUTSIDE.get(api, []), api
