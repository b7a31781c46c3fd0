"""Limits what streams of jobs' events cost: a job is read once for all streams that follow it."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import anyio

from auricle.values.errors import AuricleError, Overloaded
from auricle.values.types import ANONYMOUS, ClientId

T = TypeVar("T")

MAX_STREAMS, MAX_STREAMS_PER_KEY = 512, 64
"""Streams of all clients, and of one key. Clients without a key are many behind one name."""
POLL_S = 0.5
"""Time between two reads of a job, in seconds."""
KEY_READS_PER_S = 20
"""Reads of all jobs that one key follows."""
RETRY_S = 10


@dataclass(slots=True)
class Followed(Generic[T]):
    """The latest state of a job, for all of its streams."""

    streams: int = 0
    _state: T | AuricleError | None = None
    _read_at: float = float("-inf")
    _reading: anyio.Lock = field(default_factory=anyio.Lock)

    async def latest(self, read: Callable[[], Awaitable[T]], max_age_s: float) -> T:
        """Return the state of the job, which is read if the latest one is too old.

        Args:
            read: Reads the state.
            max_age_s: Maximum age, in seconds.

        Raises:
            AuricleError: The latest read failed with it.
        """
        async with self._reading:
            if time.monotonic() - self._read_at >= max_age_s:
                try:
                    self._state = await read()
                except AuricleError as error:
                    self._state = error
                self._read_at = time.monotonic()
        if isinstance(self._state, AuricleError):
            raise self._state
        assert self._state is not None, "it was read"
        return self._state


class JobFollowers(Generic[T]):
    """The streams of one server and the jobs that they follow."""

    def __init__(self) -> None:
        self._streams: Counter[ClientId] = Counter()
        self._jobs: dict[tuple[ClientId, str], Followed[T]] = {}

    @contextmanager
    def follow(self, client: ClientId, job_id: str) -> Iterator[Followed[T]]:
        """Count a stream, and yield the job that it follows.

        Raises:
            Overloaded: There are too many streams.
        """
        is_greedy = client != ANONYMOUS and self._streams[client] >= MAX_STREAMS_PER_KEY
        if is_greedy or self._streams.total() >= MAX_STREAMS:
            scope = "for this key" if is_greedy else "on this server"
            raise Overloaded(f"Too many streams of job events {scope}; use GET /jobs/ID.", RETRY_S)
        job = self._jobs.setdefault((client, job_id), Followed())
        job.streams += 1
        self._streams[client] += 1
        try:
            yield job
        finally:
            job.streams -= 1
            if not job.streams:
                del self._jobs[client, job_id]
            self._streams[client] -= 1
            if not self._streams[client]:
                del self._streams[client]

    def interval_s(self, client: ClientId) -> float:
        """Return the time between two reads of each of the client's jobs, in seconds."""
        jobs = sum(owner == client for owner, _ in self._jobs)
        return max(POLL_S, jobs / KEY_READS_PER_S)
