"""A job and its states. No I/O; times are Unix time in seconds.

::

    QUEUED --lease--> RUNNING --finish--> DONE | FAILED
       ^                 |
       +-lease lost or --+          cancel: from QUEUED or RUNNING to CANCELLED
         released
"""

import enum
import hashlib
from dataclasses import dataclass, replace

from auricle.values.errors import JobConflict
from auricle.values.types import ClientId


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


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a caller submitted; until the job ends, it never changes.

    Attributes:
        owner: The key that sent the job.
        job_id: The caller's id; owner and id together are the idempotency key.
        uid: Random id of this acceptance; ids of its events are derived from it.
        trace_id: Logged together with the job's ids.
        digest: From :func:`digest_of`; the same id with another digest is a conflict.
        request: All parameters of the request, encoded; opaque to the ledger.
        api: Name of the API that accepted the job and answers it.
        answer: What that API's answers depend on besides the request, encoded; opaque, too.
        audio: Name of the audio in the audio store.
        audio_bytes: Size of the audio.
        callback_url: Where an event is sent when the job ends; ``None``: nowhere.
        keep_audio_s: How long the audio is kept after the job is done or has failed, in seconds.
        file_name: The caller's name of the recording; may be empty.
    """

    owner: ClientId
    job_id: str
    uid: str
    trace_id: str
    digest: str
    request: bytes
    api: str
    answer: bytes
    audio: str
    audio_bytes: int
    callback_url: str | None = None
    keep_audio_s: float = 0.0
    file_name: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the ledger.

    Attributes:
        number: Number of the row; not used again after the row was deleted.
        spec: What the caller submitted.
        accepted_at: When the job was accepted.
        ready_at: Earliest time of the next lease.
        state: Lifecycle state.
        fence: Fencing number: grows with every change of the lease, so that a late writer is
            refused.
        gateway: The process that holds the lease; ``None``: no lease.
        lease_until: End of the lease.
        losses: Leases lost since the last progress, see :mod:`.lease`.
        finished_at: When the job ended.
        expires_at: When the row, its result and its chunks are deleted.
        has_audio: Whether the audio is still needed, or kept.
        audio_until: When kept audio is deleted; ``None``: it is needed, or deleted.
        progress: Fraction of the audio, from 0 to 1.
        text: Text so far.
        result: The response body as JSON, of a job that is done.
        error: The error body as JSON, of a job that failed.
        duration_ms: Length of the audio, of a job that is done.
    """

    number: int
    spec: JobSpec
    accepted_at: float
    ready_at: float
    state: JobState = JobState.QUEUED
    fence: int = 0
    gateway: str | None = None
    lease_until: float = 0.0
    losses: int = 0
    finished_at: float | None = None
    expires_at: float | None = None
    has_audio: bool = True
    audio_until: float | None = None
    progress: float = 0.0
    text: str = ""
    result: bytes | None = None
    error: bytes | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended, and for how long its row is kept."""

    state: JobState
    keep_s: float
    result: bytes | None = None
    error: bytes | None = None
    text: str = ""
    duration_ms: int | None = None


def digest_of(request: bytes, audio_sha256: bytes) -> str:
    """Return the digest of a job's options and audio, in hexadecimal.

    ``request`` must not contain ids that differ between two attempts of one caller.
    """
    return hashlib.sha256(hashlib.sha256(request).digest() + audio_sha256).hexdigest()


def check_same(spec: JobSpec, existing: Job) -> None:
    """Check that a repeated submission is the existing job.

    Raises:
        JobConflict: The existing job has other audio or options.
    """
    if existing.spec.digest != spec.digest:
        raise JobConflict(
            "A job with this job_id and different audio or options exists; use another job_id.",
        )


def end(job: Job, outcome: Outcome, now: float) -> Job:
    """Return an unfinished job as it is after its end; the lease ends as well.

    The job is kept at least as long as its audio. Audio of a cancelled job is not kept. The fencing
    number stays, so that the writer that ended the job can repeat itself safely.
    """
    keep_audio_s = 0.0 if outcome.state is JobState.CANCELLED else job.spec.keep_audio_s
    return replace(
        job,
        state=outcome.state,
        gateway=None,
        lease_until=0.0,
        finished_at=now,
        expires_at=now + max(outcome.keep_s, keep_audio_s),
        has_audio=keep_audio_s > 0,
        audio_until=now + keep_audio_s if keep_audio_s > 0 else None,
        progress=1.0 if outcome.state is JobState.DONE else job.progress,
        text=outcome.text or job.text,
        result=outcome.result,
        error=outcome.error,
        duration_ms=outcome.duration_ms,
    )


def cancel(job: Job, keep_s: float, now: float) -> Job:
    """Return the job cancelled; a finished job stays as it is. Its writer is refused from now on.

    Callers compare with the argument to see whether the job ended by this call.
    """
    if job.state.is_final:
        return job
    cancelled = end(job, Outcome(JobState.CANCELLED, keep_s), now)
    return replace(cancelled, fence=job.fence + 1)
