"""Waiting for what must come, with a generous limit and no fixed sleeps."""

import asyncio
import time
from collections.abc import Callable

LIMIT_S = 60.0
STEP_S = 0.01


async def poll_until(condition: Callable[[], bool], what: str = "the condition") -> None:
    """Return once the condition holds; fail if it never does."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} was not reached in {LIMIT_S:.0f} s"
        await asyncio.sleep(STEP_S)
