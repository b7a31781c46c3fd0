import pytest

from auricle.workers.process.assignment import Death
from auricle.workers.process.usage import SUSPENDED

pytestmark = pytest.mark.unit


def test_a_signature_is_the_reason_and_the_place() -> None:
    assert Death("hung", "SIGKILL", "SIGKILL a.py:1 f").signature == "hung SIGKILL a.py:1 f"
    assert Death("exited", "SIGKILL").signature is None


@pytest.mark.parametrize(
    ("reason", "is_blamed", "is_orderly"),
    [
        ("exited", True, False),
        ("hung", True, False),
        (SUSPENDED, False, False),
        ("stopped", True, True),
        ("replaced", True, True),
    ],
)
def test_what_may_be_blamed(reason: str, is_blamed: bool, is_orderly: bool) -> None:
    death = Death(reason)
    assert (death.is_blamed, death.is_orderly) == (is_blamed, is_orderly)
