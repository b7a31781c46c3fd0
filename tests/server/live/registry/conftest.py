from collections.abc import AsyncIterator

import pytest

from tests.support.live_sessions import Sessions, sessions


@pytest.fixture
async def fakes() -> AsyncIterator[Sessions]:
    async with sessions() as started:
        yield started
