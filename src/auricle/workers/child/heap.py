"""Return freed memory to the system (glibc; elsewhere nothing happens).

glibc keeps what a batch frees. A worker with Whisper base that has decoded a batch of eight chunks
thus keeps 250 MB more than its model needs, until its next batch of that size.
"""

import contextlib
import ctypes
import functools
from collections.abc import Callable

IDLE_S = 0.2
"""A worker without work for this time returns its memory: nothing waits for it then."""
MAX_BUSY_S = 1.0
"""Busy workers return memory after this much work. Returning takes 1 to 20 ms, and pages that are
used again must be cleared: less than a hundredth of a second of work."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
LARGE_BLOCK_BYTES = 256 * 2**20


def reuse_large_blocks() -> None:
    """Keep the memory of large blocks for the next block, until :func:`trim`.

    By default glibc maps each block above 32 MB separately, and the kernel clears all of its pages.
    A layer of a window of 30 s needs such blocks: four chunks of 25 s take 8.6 s of CPU time
    instead of 10.3. glibc before 2.35 ignores the call.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        mallopt(M_TRIM_THRESHOLD, 2 * LARGE_BLOCK_BYTES)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS and Windows have none
        return None
    return trim


def trim() -> None:
    """Return all free pages of the heap to the system."""
    if (malloc_trim := _malloc_trim()) is not None:
        malloc_trim(0)


class HeapKeeper:
    """Decide when a worker returns memory.

    Args:
        trim: Returns the memory.
    """

    def __init__(self, trim: Callable[[], None] = trim) -> None:
        self._trim = trim
        self._busy_s = 0.0

    def worked(self, busy_s: float) -> None:
        """Record work whose answer was sent."""
        self._busy_s += busy_s
        if self._busy_s >= MAX_BUSY_S:
            self._return()

    def before_wait(self, has_input: Callable[[float], bool]) -> None:
        """Call this before waiting for work: waits for ``IDLE_S`` and returns memory if none comes.

        Args:
            has_input: Waits for input for a number of seconds; returns whether there is some.
        """
        if self._busy_s and not has_input(IDLE_S):
            self._return()

    def _return(self) -> None:
        self._trim()
        self._busy_s = 0.0
