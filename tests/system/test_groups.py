import pytest

from auricle.system.groups import first_error
from auricle.values.errors import AudioError

pytestmark = pytest.mark.unit


def test_an_auricle_error_has_precedence_at_any_depth() -> None:
    ours = AudioError("damaged")
    group = ExceptionGroup("", [ValueError(), ExceptionGroup("", [KeyError(), ours])])
    assert first_error(group) is ours


def test_without_an_auricle_error_the_first_one_is_raised() -> None:
    first = ValueError()
    assert first_error(ExceptionGroup("", [ExceptionGroup("", [first]), KeyError()])) is first
