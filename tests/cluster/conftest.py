from collections.abc import Iterator

import pytest

from tests.conformance.remote import be_patient
from tests.support.recognisers import Recogniser, running_recogniser


@pytest.fixture(autouse=True)
def _patient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up a recogniser only in tests of that."""
    if request.node.get_closest_marker("wall_clock") is None:
        be_patient(monkeypatch)


@pytest.fixture(scope="module")
def two() -> Iterator[tuple[Recogniser, Recogniser]]:
    """Two recognisers that no test harms."""
    with running_recogniser() as one, running_recogniser() as other:
        yield one, other
