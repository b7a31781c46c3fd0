"""Requests that are registered while in progress."""

from pathlib import Path

import anyio
import pytest

from auricle.values.errors import Draining
from tests.support.service import build

pytestmark = pytest.mark.server


async def test_requests_in_progress_can_be_ended(tmp_path: Path) -> None:
    state = build(tmp_path).state
    with state.request_scope() as scope:
        state.end_requests()
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert not state.requests


async def test_after_draining_new_work_is_refused(tmp_path: Path) -> None:
    state = build(tmp_path).state
    state.check_serving()
    state.drain()
    with pytest.raises(Draining):
        state.check_serving()
