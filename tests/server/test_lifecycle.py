"""Requests that are registered while in progress."""

import anyio
import pytest

from auricle.server.lifecycle import Lifecycle
from auricle.values.errors import Draining

pytestmark = pytest.mark.unit


async def test_requests_in_progress_can_be_ended() -> None:
    lifecycle = Lifecycle()
    with lifecycle.request_scope() as scope:
        assert lifecycle.requests == 1
        lifecycle.end_requests()
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert not lifecycle.requests


def test_after_draining_new_work_is_refused() -> None:
    lifecycle = Lifecycle()
    lifecycle.check_serving()
    lifecycle.drain()
    assert lifecycle.is_draining
    with pytest.raises(Draining):
        lifecycle.check_serving()
