"""Mutation testing: what is mutated, and the copy in which it is."""

import pytest

from bench.lib.report import ROOT
from research.mutants import GROUPS, variants, write_out_properties

pytestmark = pytest.mark.unit

SOURCE = '''
class Clock:
    """Returns the time."""

    def __init__(self) -> None:
        self._hours = 23

    @property
    def hours(self) -> int:
        """Of the day."""
        return self._hours

    @property
    def minutes(self) -> int:
        return self.hours * 60

    @staticmethod
    def name() -> str:
        return "clock"
'''


@pytest.mark.parametrize("name", GROUPS)
def test_the_modules_of_each_group_and_their_tests_exist(name: str) -> None:
    group = GROUPS[name]
    files = [f"src/auricle/{module}.py" for module in group.modules]
    files += [f"tests/{test}" for test in group.tests]
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_properties_become_functions_that_can_be_changed_and_stay_properties() -> None:
    written = write_out_properties(SOURCE)
    assert "@property" not in written
    assert "def _get_hours(self) -> int:" in written
    scope: dict[str, type] = {}
    exec(written, scope)
    clock = scope["Clock"]()
    assert (clock.hours, clock.minutes, clock.name()) == (23, 23 * 60, "clock")


def test_all_variants_of_a_function_can_be_compared_with_their_heads() -> None:
    source = """
async def start__mutmut_orig(after_s: float = 1.0) -> None:
    await sleep(after_s)

async def start__mutmut_1(after_s: float = 2.0) -> None:
    await sleep(after_s)

def stop() -> None:
    pass
"""
    assert variants(source) == {
        "start__mutmut_orig": [
            "async def start(after_s: float = 1.0) -> None:",
            "    await sleep(after_s)",
        ],
        "start__mutmut_1": [
            "async def start(after_s: float = 2.0) -> None:",
            "    await sleep(after_s)",
        ],
    }


def test_code_without_properties_stays_as_it_is() -> None:
    source = "def double(number: int) -> int:\n    return 2 * number\n"
    assert write_out_properties(source) == source
