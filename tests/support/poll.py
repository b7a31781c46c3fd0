"""Waiting for what must come, with a generous limit and no fixed sleeps."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LIMIT_S = 120.0
STEP_S = 0.01
BLOCKING_STEP_S = 0.1
"""Longer, since what is waited for is another process."""


async def poll_until(condition: Callable[[], bool], what: str = "the condition") -> None:
    """Return once the condition holds; fail if it never does."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} was not reached in {LIMIT_S:.0f} s"
        await asyncio.sleep(STEP_S)


def wait_until(condition: Callable[[], T | None], what: str, limit_s: float = LIMIT_S) -> T:
    """Return the first true value of the condition; block meanwhile.

    Args:
        condition: Asks; an error that it raises ends the wait.
        what: What the condition says, for the message.
        limit_s: Longest wait, in seconds.

    Raises:
        TimeoutError: The condition did not hold in time.
    """
    deadline = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not in {limit_s:.0f} s")
        time.sleep(BLOCKING_STEP_S)
    return value
