"""Threads of requests that use the database."""

from pathlib import Path

import pytest

from auricle.server import storage
from auricle.values.errors import LedgerUnavailable
from tests.support.jobs import running

pytestmark = pytest.mark.server


async def test_a_request_waits_for_a_thread_of_the_database_for_a_limited_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as service:
        stored = service.state.storage
        assert await stored.in_database_thread(lambda: 1) == 1
        monkeypatch.setattr(storage, "DATABASE_THREAD_WAIT_S", 0.05)
        threads = stored.database_threads
        for borrower in range(int(threads.total_tokens)):
            threads.acquire_on_behalf_of_nowait(borrower)
        with pytest.raises(LedgerUnavailable):
            await stored.in_database_thread(lambda: 1)
        assert threads.statistics().tasks_waiting == 0
