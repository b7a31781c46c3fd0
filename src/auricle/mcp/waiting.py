"""Requests that are repeated until there is news."""

import time
from collections.abc import Callable
from typing import TypeVar

import anyio

from auricle.client.api.calls import Call
from auricle.mcp.tool import Api
from auricle.values.errors import RateLimited

T = TypeVar("T")

FIRST_POLL_S, POLL_S = 1.0, 5.0
"""Time between two requests, at first and later: each counts for the limits of the key."""


async def wait_for(api: Api, call: Call[T], is_news: Callable[[T], bool], wait_s: float) -> T:
    """Return the first result that is news, or the last one before the end of the wait.

    A key that has no requests left ends the wait; the first request needs one.

    Args:
        api: The server.
        call: The request.
        is_news: Whether a result ends the wait.
        wait_s: Longest wait, in seconds.

    Raises:
        AuricleError: The server rejected a request, or was unavailable.
    """
    give_up_at, pause_s = time.monotonic() + wait_s, FIRST_POLL_S
    result = await api.send(call)
    while not is_news(result) and api.may_wait and (left_s := give_up_at - time.monotonic()) > 0:
        await anyio.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, POLL_S)
        try:
            result = await api.send(call)
        except RateLimited:
            break
    return result
