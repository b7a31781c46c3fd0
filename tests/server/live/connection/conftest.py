from collections.abc import AsyncIterator

import pytest

from tests.server.live.connection.helpers import Line, one_line


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with one_line() as started:
        yield started
