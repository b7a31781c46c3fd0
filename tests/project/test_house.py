"""The core names no optional folder, and its size is printed."""

import pytest

from research.house import House, budget, print_budget

pytestmark = pytest.mark.unit

WORDS = {"pages", "readers", "transcripts"}
"""APIs whose names are ordinary words."""
OUTSIDE = {
    "azure": ["src/auricle/apis/openai_realtime"],  # a comment on a field that Azure's clients send
    "openai_realtime": ["src/auricle/apis/azure"],  # has its routes at other paths
}


@pytest.fixture(scope="module")
def house() -> House:
    return House.of()


def test_nothing_imports_an_optional_folder(house: House) -> None:
    importers = {folder: house.imports_of(folder) for folder in house.optional}
    assert not {folder: found for folder, found in importers.items() if found}


def test_the_core_is_served_without_optional_folders(house: House) -> None:
    assert house.served(with_optional=False) < house.served(with_optional=True)


def test_the_budget_is_printed_beside_that_of_the_last_release(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = budget(house)
    print_budget(figures, figures | {"modules": figures["modules"] - 2})
    printed = capsys.readouterr().out
    assert f"budget: {figures['modules']:,} modules (2 more)" in printed
    assert f"budget: {figures['tests_lines']:,} tests lines (as before)" in printed


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
