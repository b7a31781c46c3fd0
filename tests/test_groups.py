import pytest

from auricle.errors import AudioError
from auricle.groups import first_error

pytestmark = pytest.mark.unit


def test_an_error_of_ours_is_blamed_before_any_other_however_deep_it_lies() -> None:
    ours = AudioError("damaged")
    group = ExceptionGroup("", [ValueError(), ExceptionGroup("", [KeyError(), ours])])
    assert first_error(group) is ours


def test_without_one_of_ours_the_first_is_blamed() -> None:
    first = ValueError()
    assert first_error(ExceptionGroup("", [ExceptionGroup("", [first]), KeyError()])) is first
