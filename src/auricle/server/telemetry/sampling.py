"""Reads of the server's state every second."""

from collections.abc import Callable

import anyio

from auricle.system.logs import log_unexpected

SAMPLE_INTERVAL_S = 1.0


async def sample_loop(sample: Callable[[], object], every_s: float = SAMPLE_INTERVAL_S) -> None:
    """Call a function until cancelled; log the first unexpected error, and continue after any."""
    has_failed = False
    while True:
        try:
            sample()
        except Exception as error:
            if not has_failed:  # log it once, not every second
                log_unexpected(error)
            has_failed = True
        await anyio.sleep(every_s)
