from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.service import Live, live


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as started:
        yield started
