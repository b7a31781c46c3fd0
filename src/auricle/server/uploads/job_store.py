"""What is remembered of jobs that nobody waits for; I/O-free.

The store is bounded in jobs and in bytes. When it is full, the key that has most loses a result:
one that its caller has fetched if there is one, otherwise its oldest. So a key that makes many jobs
pushes out its own results only.
"""

import enum
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import msgspec

from auricle.errors import BadRequest, NotFound, Overloaded
from auricle.types import ClientId

FULL_RETRY_S = 10
RECORD_BYTES = 1000
"""What a job takes besides its text and result."""
COLLECT_S = 30.0
"""How long after its end a result counts as about to be fetched by its caller."""


class JobState(enum.StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(slots=True)
class JobRecord:
    """One job as its caller sees it."""

    job_id: str
    trace_id: str
    client: ClientId
    state: JobState = JobState.QUEUED
    progress: float = 0.0
    text: str = ""
    result: bytes | None = None
    """The answer as JSON: smaller than objects, and its size is known."""
    error: dict[str, object] | None = None
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    finished_at: float | None = None
    is_collected: bool = False
    """Whether its caller has seen how it ended."""

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return RECORD_BYTES + len(self.text) + len(self.result or b"")

    def ids(self) -> dict[str, str]:
        """Return what names it in the log."""
        return {"job_id": self.job_id, "trace_id": self.trace_id, "client": self.client}

    def body(self) -> dict[str, object]:
        """Return what ``GET /jobs/{id}`` answers."""
        return {
            "job_id": self.job_id,
            "trace_id": self.trace_id,
            "state": self.state.value,
            "progress": round(self.progress, 4),
            "text": self.text,
            "result": None if self.result is None else msgspec.Raw(self.result),
            "error": self.error,
        }


class JobStore:
    """The jobs that are remembered; I/O-free, ``now`` is monotonic seconds."""

    def __init__(self, max_jobs: int, keep_s: float, max_bytes: int) -> None:
        self._max_jobs = max_jobs
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._jobs: OrderedDict[tuple[ClientId, str], JobRecord] = OrderedDict()

    def __len__(self) -> int:
        return len(self._jobs)

    def count(self, state: JobState) -> int:
        """Return how many jobs are in a state."""
        return sum(record.state is state for record in self._jobs.values())

    def unfinished(self) -> list[JobRecord]:
        """Return the jobs that are still to be worked on."""
        return [record for record in self._jobs.values() if not record.state.is_final]

    def uncollected(self, now: float) -> list[JobRecord]:
        """Return the jobs that ended within ``COLLECT_S`` and that no caller has seen since."""
        return [
            record
            for record in self._jobs.values()
            if record.finished_at is not None
            and not record.is_collected
            and now - record.finished_at <= COLLECT_S
        ]

    def check_free(self, client: ClientId, job_id: str) -> None:
        """Refuse an id that is in use.

        Raises:
            BadRequest: A job of this key with this id isn't finished.
        """
        known = self._jobs.get((client, job_id))
        if known is not None and not known.state.is_final:
            raise BadRequest("A job with this job_id is still being worked on.")

    def add(self, record: JobRecord, now: float) -> None:
        """Remember a new job; one that is finished and has the same id is forgotten.

        Raises:
            BadRequest: A job of this key with this id isn't finished.
            Overloaded: There are too many jobs, none of them finished.
        """
        self.check_free(record.client, record.job_id)
        self._forget_old(now)
        key = (record.client, record.job_id)
        self._jobs.pop(key, None)
        self._jobs[key] = record
        while len(self._jobs) > self._max_jobs:
            if not self._forget_one_of_most(record, lambda _: 1):
                self.remove(record)
                raise Overloaded("The server remembers as many jobs as it can.", FULL_RETRY_S)

    def find(self, client: ClientId, job_id: str, now: float) -> JobRecord:
        """Return a job.

        Raises:
            NotFound: There is none of this key with this id, or it is too old.
        """
        self._forget_old(now)
        record = self._jobs.get((client, job_id))
        if record is None:
            raise NotFound(
                "There is no such job. Results are kept for a while, and end with the server."
            )
        return record

    def finish(self, record: JobRecord, state: JobState, now: float) -> None:
        """Note how a job ended, and make room for its result; the first end counts."""
        if record.state.is_final:
            return
        record.state, record.finished_at = state, now
        while sum(known.size_bytes for known in self._jobs.values()) > self._max_bytes:
            if not self._forget_one_of_most(record, lambda known: known.size_bytes):
                return  # one result alone may be larger

    def remove(self, record: JobRecord) -> None:
        """Forget a job."""
        key = (record.client, record.job_id)
        if self._jobs.get(key) is record:
            del self._jobs[key]

    def _forget_old(self, now: float) -> None:
        old = [
            record
            for record in self._jobs.values()
            if record.finished_at is not None and now - record.finished_at > self._keep_s
        ]
        for record in old:
            self.remove(record)

    def _forget_one_of_most(self, kept: JobRecord, weight: Callable[[JobRecord], int]) -> bool:
        """Forget a finished job of the key that has most, but not this one; return whether."""
        weights: Counter[ClientId] = Counter()
        for record in self._jobs.values():
            weights[record.client] += weight(record)
        finished = [r for r in self._jobs.values() if r.state.is_final and r is not kept]
        if not finished:
            return False
        most = max(weights[record.client] for record in finished)
        of_most = [record for record in finished if weights[record.client] == most]
        self.remove(min(of_most, key=lambda record: not record.is_collected))
        return True
