"""The events of a job, for its callback. No I/O.

Its end is always sent, its progress on request.
"""

from auricle.ledger.jobs.job import Job
from auricle.ledger.webhooks.outbox import Delivery, Event, new_delivery

PROGRESS = "job.progress"
KEPT = "transcript.kept"
"""The result is kept; queued by what keeps it."""

_SUBJECTS = "jobs/"


def subject_of(uid: str) -> str:
    """Return the subject of a job's events."""
    return f"{_SUBJECTS}{uid}"


def uid_in(subject: str) -> str:
    """Return the job that a subject means, by the id of its acceptance."""
    return subject.removeprefix(_SUBJECTS)


def job_ended(job: Job, url: str, now: float) -> Delivery:
    """Return the delivery of the end of a job; its row gives the data."""
    event = Event(
        f"{job.spec.uid}.{job.state.value}",
        f"job.{job.state.value}",
        subject_of(job.spec.uid),
        job.spec.owner,
    )
    return new_delivery(event, url, now)


def job_progressed(job: Job, url: str, now: float) -> Delivery:
    """Return the delivery of a job's progress; its row gives the latest at each attempt."""
    event = Event(
        f"{job.spec.uid}.progress.{int(now)}", PROGRESS, subject_of(job.spec.uid), job.spec.owner
    )
    return new_delivery(event, url, now)
