"""What a session wants of whoever runs it: tell the client, start a job, forget a job."""

from dataclasses import dataclass

from auricle.events import SessionEvent
from auricle.types import Job, JobId


@dataclass(frozen=True, slots=True)
class Submit:
    """Give the job to the transcriber; its answer goes back through ``job_done``."""

    job: Job


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody wants this job's answer any more."""

    job_id: JobId


Output = SessionEvent | Submit | Cancel
