"""A background job as its caller sees it; its API renders it."""

from dataclasses import dataclass

from auricle.ledger.jobs.job import Job
from auricle.ledger.webhooks.outbox import Delivery
from auricle.server.uploads.uploading_jobs import UploadingJob


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job in the ledger.

    Attributes:
        job: The job, with its latest progress.
        starts_in_s: Estimated time until it starts, in seconds; ``None``: unknown, or it started.
        keeps_results: Whether the server keeps the results of jobs as transcripts.
        shows_webhook: Whether the job has a callback, and its delivery was read.
        delivery: The delivery of its end; ``None``: the job has not ended.
    """

    job: Job
    starts_in_s: int | None = None
    keeps_results: bool = False
    shows_webhook: bool = False
    delivery: Delivery | None = None


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
