"""The events of a job, for its callback. No I/O.

Its end is always sent, further ones on request.
"""

from auricle.ledger.events import Event
from auricle.ledger.jobs.job import Job

PROGRESS = "job.progress"
"""Queued, at each renewal of the job's lease, by what sends events."""
KEPT = "transcript.kept"
"""The result is kept; queued by what keeps it."""

_SUBJECTS = "jobs/"


def subject_of(uid: str) -> str:
    """Return the subject of a job's events."""
    return f"{_SUBJECTS}{uid}"


def uid_in(subject: str) -> str:
    """Return the job that a subject means, by the id of its acceptance."""
    return subject.removeprefix(_SUBJECTS)


def job_ended(job: Job) -> Event:
    """Return the end of a job; its row gives the data."""
    return Event(
        f"{job.spec.uid}.{job.state.value}",
        f"job.{job.state.value}",
        subject_of(job.spec.uid),
        job.spec.owner,
    )
