"""What the copy is made of that mutants are tried in."""

import pytest

from research.mutants import write_out_properties

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


def test_properties_become_functions_that_can_be_changed_and_stay_properties() -> None:
    written = write_out_properties(SOURCE)
    assert "@property" not in written
    assert "def _get_hours(self) -> int:" in written
    scope: dict[str, type] = {}
    exec(written, scope)
    clock = scope["Clock"]()
    assert (clock.hours, clock.minutes, clock.name()) == (23, 23 * 60, "clock")


def test_code_without_properties_stays_as_it_is() -> None:
    source = "def double(number: int) -> int:\n    return 2 * number\n"
    assert write_out_properties(source) == source
