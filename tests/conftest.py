"""What all tests share."""

import pytest
from hypothesis import settings

# No property is timed: a busy machine would fail it.
settings.register_profile("auricle", deadline=None)
settings.load_profile("auricle")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
