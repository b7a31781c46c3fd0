"""Bounded store of background jobs. No I/O.

The store is bounded in jobs and in bytes. When it is full, the key with the largest share loses a
result: one that its caller has fetched if possible, otherwise its oldest. So a key that creates
many jobs evicts its own results only.
"""

import enum
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, TypedDict

import anyio
import msgspec

from auricle.errors import BadRequest, NotFound, Overloaded
from auricle.protocol.native.errors import ErrorBody
from auricle.types import ClientId

FULL_RETRY_S = 10
RECORD_BYTES = 1000
"""Estimated memory of a job without its text and result."""
COLLECT_S = 30.0
"""Time after a job's end in which its caller is expected to fetch the result, in seconds."""


class JobState(enum.StrEnum):
    """Lifecycle state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class JobBody(TypedDict):
    """The response body of ``GET /jobs/{id}``."""

    job_id: str
    trace_id: str
    state: JobState
    progress: float
    text: str
    result: Annotated[
        msgspec.Raw | None, msgspec.Meta(extra_json_schema={"type": ["object", "null"]})
    ]
    error: ErrorBody | None


@dataclass(slots=True)
class JobRecord:
    """One job as its caller sees it through the API."""

    job_id: str
    trace_id: str
    client: ClientId
    state: JobState = JobState.QUEUED
    progress: float = 0.0
    text: str = ""
    result: bytes | None = None
    """The response as JSON, which is smaller than objects and has a known size."""
    error: ErrorBody | None = None
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    finished_at: float | None = None
    is_collected: bool = False
    """Whether its caller has fetched the final state."""

    @property
    def size_bytes(self) -> int:
        """Estimated memory of the record."""
        return RECORD_BYTES + len(self.text) + len(self.result or b"")

    def ids(self) -> dict[str, str]:
        """Return the job's identifying fields for the log."""
        return {"job_id": self.job_id, "trace_id": self.trace_id, "client": self.client}

    def body(self) -> JobBody:
        """Return the response body of ``GET /jobs/{id}``."""
        return {
            "job_id": self.job_id,
            "trace_id": self.trace_id,
            "state": self.state,
            "progress": round(self.progress, 4),
            "text": self.text,
            "result": None if self.result is None else msgspec.Raw(self.result),
            "error": self.error,
        }


class JobStore:
    """Background jobs by client and job id; ``now`` is monotonic seconds."""

    def __init__(self, max_jobs: int, keep_s: float, max_bytes: int) -> None:
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._jobs: OrderedDict[tuple[ClientId, str], JobRecord] = OrderedDict()

    def __len__(self) -> int:
        return len(self._jobs)

    def count(self, state: JobState) -> int:
        """Return the number of jobs in a state."""
        return sum(record.state is state for record in self._jobs.values())

    def unfinished(self) -> list[JobRecord]:
        """Return the jobs that are queued or running."""
        return [record for record in self._jobs.values() if not record.state.is_final]

    def uncollected(self, now: float) -> list[JobRecord]:
        """Return the jobs that ended within the last ``COLLECT_S`` and were not fetched since."""
        return [
            record
            for record in self._jobs.values()
            if record.finished_at is not None
            and not record.is_collected
            and now - record.finished_at <= COLLECT_S
        ]

    def add(self, record: JobRecord, now: float) -> None:
        """Add a new job, replacing a finished job with the same id.

        Raises:
            BadRequest: This key has an unfinished job with this id.
            Overloaded: The store is full of unfinished jobs.
        """
        self._remove_expired(now)
        key = (record.client, record.job_id)
        stored = self._jobs.get(key)
        if stored is not None and not stored.state.is_final:
            raise BadRequest("A job with this job_id is still in progress; use another job_id.")
        self._jobs.pop(key, None)
        self._jobs[key] = record
        while len(self._jobs) > self._max_jobs:
            if not self._evict_one(record, lambda _: 1):
                self.remove(record)
                raise Overloaded(
                    "The server's limit of unfinished jobs is reached; try again later.",
                    FULL_RETRY_S,
                )

    def find(self, client: ClientId, job_id: str, now: float) -> JobRecord:
        """Return a job.

        Raises:
            NotFound: This key has no job with this id, or its result has expired.
        """
        self._remove_expired(now)
        record = self._jobs.get((client, job_id))
        if record is None:
            raise NotFound(
                "Unknown job_id. Results expire after a while, and are lost when the server stops."
            )
        return record

    def finish(self, record: JobRecord, state: JobState, now: float) -> None:
        """Record a job's final state once, and evict other results to make room."""
        if record.state.is_final:
            return
        record.state, record.finished_at = state, now
        while sum(stored.size_bytes for stored in self._jobs.values()) > self._max_bytes:
            if not self._evict_one(record, lambda stored: stored.size_bytes):
                return  # one result alone may be larger

    def remove(self, record: JobRecord) -> None:
        """Remove a job."""
        key = (record.client, record.job_id)
        if self._jobs.get(key) is record:
            del self._jobs[key]

    def remove_queued(self, record: JobRecord) -> None:
        """Remove a job that has not started."""
        if record.state is JobState.QUEUED:
            self.remove(record)

    def _remove_expired(self, now: float) -> None:
        old = [
            record
            for record in self._jobs.values()
            if record.finished_at is not None and now - record.finished_at > self._keep_s
        ]
        for record in old:
            self.remove(record)

    def _evict_one(self, new: JobRecord, weight: Callable[[JobRecord], int]) -> bool:
        """Evict a finished job of the key with the largest share; return whether there was one.

        Args:
            new: A job that must not be evicted.
            weight: Returns a job's contribution to its key's share.
        """
        weights: Counter[ClientId] = Counter()
        for record in self._jobs.values():
            weights[record.client] += weight(record)
        finished = [r for r in self._jobs.values() if r.state.is_final and r is not new]
        if not finished:
            return False
        largest = max(weights[record.client] for record in finished)
        candidates = [record for record in finished if weights[record.client] == largest]
        self.remove(min(candidates, key=lambda record: not record.is_collected))
        return True
