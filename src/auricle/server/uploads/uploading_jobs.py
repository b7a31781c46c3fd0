"""Background jobs whose upload is in progress. No I/O.

Once an upload is complete, the job is a row of the ledger. Before that, its caller can already see
and cancel it here.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from auricle.values.types import ClientId


@dataclass(slots=True, eq=False)
class UploadingJob:
    """A job whose upload is in progress.

    Attributes:
        job_id: The caller's id.
        trace_id: Logged together with the id.
        is_cancelled: Whether its caller has cancelled it.
    """

    job_id: str
    trace_id: str
    is_cancelled: bool = False


class UploadingJobs:
    """Uploading jobs by client and job id; a client may repeat an upload before the first ends."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[ClientId, str], list[UploadingJob]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._jobs.values()))

    @contextlib.contextmanager
    def add(self, client: ClientId, job_id: str, trace_id: str) -> Iterator[UploadingJob]:
        """Add a job for the duration of its upload."""
        key, job = (client, job_id), UploadingJob(job_id, trace_id)
        same_id = self._jobs.setdefault(key, [])
        same_id.append(job)
        try:
            yield job
        finally:
            same_id.remove(job)
            if not same_id:
                del self._jobs[key]

    def find(self, client: ClientId, job_id: str) -> UploadingJob | None:
        """Return the latest upload with this id, or ``None``."""
        same_id = self._jobs.get((client, job_id))
        return same_id[-1] if same_id else None

    def cancel(self, client: ClientId, job_id: str) -> UploadingJob | None:
        """Cancel all uploads with this id, and return the latest, or ``None``."""
        for job in self._jobs.get((client, job_id), ()):
            job.is_cancelled = True
        return self.find(client, job_id)
