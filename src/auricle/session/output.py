"""The outputs of a session: send an event to the client, submit a job, cancel a job."""

from dataclasses import dataclass

from auricle.events import SessionEvent
from auricle.types import Job, JobId


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit the job to the recogniser; pass its result to ``job_done``."""

    job: Job


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel the job; its result is no longer needed."""

    job_id: JobId


Output = SessionEvent | Submit | Cancel
