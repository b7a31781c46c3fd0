"""What the tests of stream share."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.support.service import Live
from tests.support.stream import Caller, call

START: dict[str, Any] = {"format": "pcm16"}


async def refused(service: Live, **how: Any) -> tuple[int, dict[str, Any], str | None]:
    """Return status, error and Retry-After of a handshake that fails."""
    with pytest.raises(InvalidStatus) as caught:
        async with call(service.port, **how):
            pass
    response = caught.value.response
    assert response.body is not None
    assert response.headers["content-type"] == "application/json"
    return (
        response.status_code,
        json.loads(response.body)["error"],
        response.headers.get("retry-after"),
    )


@asynccontextmanager
async def started(service: Live, **query: Any) -> AsyncIterator[tuple[Caller, dict[str, Any]]]:
    async with call(service.port, **{"format": "pcm16", "seq": 0, **query}) as caller:
        yield caller, await caller.until("ready")
