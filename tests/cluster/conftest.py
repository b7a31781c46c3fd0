from collections.abc import Iterator

import pytest

from tests.support.recognisers import Recogniser, running_recogniser


@pytest.fixture(scope="module")
def two() -> Iterator[tuple[Recogniser, Recogniser]]:
    """Two recognisers that no test harms."""
    with running_recogniser() as one, running_recogniser() as other:
        yield one, other
