from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.support.service import Live, live


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path / "live") as started:
        yield started


@pytest.fixture
async def client(running: Live) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as made:
        yield made
