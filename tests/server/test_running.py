"""Resources that exist only while the application runs."""

from pathlib import Path

import pytest

from auricle.server import running
from auricle.values.errors import LedgerUnavailable
from tests.support.jobs import running as started

pytestmark = pytest.mark.server


async def test_a_request_waits_for_a_thread_of_the_database_for_a_limited_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "DATABASE_THREAD_WAIT_S", 0.05)
    async with started(tmp_path) as service:
        resources = service.state.running
        assert await resources.in_database_thread(lambda: 1) == 1
        threads = resources.database_threads
        for borrower in range(int(threads.total_tokens)):
            threads.acquire_on_behalf_of_nowait(borrower)
        with pytest.raises(LedgerUnavailable):
            await resources.in_database_thread(lambda: 1)
        assert threads.statistics().tasks_waiting == 0
