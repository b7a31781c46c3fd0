"""Reads of the server's state every second."""

import anyio
import pytest
from structlog.testing import LogCapture

from auricle.server.telemetry.sampling import sample_loop
from tests.support.poll import poll_until

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


async def test_a_bug_does_not_end_the_loop_and_is_logged_once(logged: LogCapture) -> None:
    samples = 0

    def broken() -> None:
        nonlocal samples
        samples += 1
        if samples <= 3:
            raise RuntimeError("what somebody said")

    async with anyio.create_task_group() as group:
        group.start_soon(sample_loop, broken, 0.0)
        await poll_until(lambda: samples > 3, "a sample after the bug")
        group.cancel_scope.cancel()
    assert [entry["event"] for entry in logged.entries] == ["unexpected_error"]
    assert "said" not in str(logged.entries)
