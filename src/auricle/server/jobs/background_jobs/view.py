"""A background job as its caller sees it; its API renders it."""

from dataclasses import dataclass

from auricle.ledger.jobs.job import Job
from auricle.server.uploads.uploading_jobs import UploadingJob
from auricle.server.webhooks import WebhookBody


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job in the ledger.

    Attributes:
        job: The job, with its latest progress.
        starts_in_s: Estimated time until it starts, in seconds; ``None``: unknown, or it started.
        keeps_results: Whether the server keeps the results of jobs as transcripts.
        webhook: The delivery of its end; ``None``: the job has no callback, or it was not read.
    """

    job: Job
    starts_in_s: int | None = None
    keeps_results: bool = False
    webhook: WebhookBody | None = None


JobView = StoredJob | UploadingJob


@dataclass(frozen=True, slots=True)
class JobsPage:
    """A page of a client's jobs, the newest first.

    Attributes:
        jobs: The jobs, without requests, texts and results.
        next: Number before which the next page begins; ``None``: this is the last one.
    """

    jobs: tuple[Job, ...]
    next: int | None
