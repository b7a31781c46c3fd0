"""Writes long transcripts as text without delaying other clients.

The subtitles of an hour take a second of computing. Python runs one thread at a time, so a thread
that computes delays the event loop at each of its system calls, and several threads do so in turn.
Therefore a client has one rendering at a time, all of them together use at most half of the
interpreter's time, and each ends soon after its client has left.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, from_thread, to_thread

from auricle.files.fair_semaphore import FairSemaphore
from auricle.values.errors import Overloaded
from auricle.values.types import SAMPLE_RATE_HZ, ClientId, GiveWay, do_nothing

T = TypeVar("T")

MAX_RENDERINGS, MAX_RENDERINGS_PER_CLIENT = 4, 1
"""Each has a transcript in memory: some 200 MB for a day of speech with the times of words, whose
objects the garbage collector visits again and again."""
RETRY_S = 10
BURST_S = 0.002
"""CPU time between two pauses, in seconds; CPython switches threads every 5 ms by itself."""
MAX_PAUSE_S = 0.1
"""Longest pause, so that a rendering soon notices that its client has left."""
SHORT_SAMPLES = 120 * SAMPLE_RATE_HZ
"""Speech whose transcript is written at once, in some 10 ms."""


class Renderer:
    """Renders transcripts in threads, a few at a time, fairly among clients."""

    def __init__(self) -> None:
        self._slots = FairSemaphore(MAX_RENDERINGS, MAX_RENDERINGS_PER_CLIENT)
        self._threads = CapacityLimiter(MAX_RENDERINGS)

    @property
    def running(self) -> int:
        """Number of renderings in progress."""
        return self._slots.held

    async def render(self, client: ClientId, audio_samples: int, work: Callable[[GiveWay], T]) -> T:
        """Return what ``work`` makes of the result of a file; it runs in a thread.

        A long result waits for its turn, without a time limit: its transcription has cost more.

        Args:
            client: The client.
            audio_samples: Length of the audio.
            work: Renders the result, and calls its argument between small parts of the work.
        """
        if audio_samples <= SHORT_SAMPLES:
            return await to_thread.run_sync(work, do_nothing)
        async with self.turn(client):
            return await self.run(client, work)

    @asynccontextmanager
    async def turn(self, client: ClientId, max_wait_s: float | None = None) -> AsyncIterator[None]:
        """Wait for a client's turn to call :meth:`run`, which lasts as long as the context.

        Args:
            client: The client.
            max_wait_s: Longest wait, in seconds; ``None``: without a limit.

        Raises:
            Overloaded: Earlier requests of the client took too long.
        """
        try:
            with anyio.fail_after(max_wait_s):
                await self._slots.enter(client)
        except TimeoutError:
            raise Overloaded(
                "Too many long transcripts at once; try again later.", RETRY_S
            ) from None
        try:
            yield
        finally:
            self._slots.leave(client)

    async def run(self, client: ClientId, work: Callable[[GiveWay], T]) -> T:
        """Return what ``work`` returns, in a thread; only in a client's :meth:`turn`."""

        def paced() -> T:
            return work(_Pace(partial(self._slots.share, client)).give_way)

        return await to_thread.run_sync(paced, limiter=self._threads)


class _Pace:
    """Pauses a thread so that all renderings use half of the interpreter's time.

    It is created in the thread, and counts its CPU time: others compute while it waits for the
    interpreter.

    Args:
        share: Returns the part of that time for this rendering.
    """

    def __init__(self, share: Callable[[], float]) -> None:
        self._share = share
        self._paused_at_s = time.thread_time()

    def give_way(self) -> None:
        """Pause if the thread has computed for long enough.

        Raises:
            CancelledError: The client has left.
        """
        used_s = time.thread_time() - self._paused_at_s
        if used_s < BURST_S:
            return
        from_thread.check_cancelled()
        time.sleep(min(MAX_PAUSE_S, used_s * (2 / self._share() - 1)))
        self._paused_at_s = time.thread_time()
