"""Response bodies of background jobs."""

from typing import Annotated, NotRequired, TypedDict

import msgspec

from auricle.ledger.jobs.job import Job, JobState
from auricle.protocol.errors import ErrorBody
from auricle.server.jobs.background_jobs.view import JobsPage, JobView
from auricle.server.uploads.uploading_jobs import UploadingJob
from auricle.server.webhooks import WebhookBody


class JobBody(TypedDict):
    """The response body of ``GET /jobs/{id}``.

    ``transcript_id`` is there if the server keeps the transcript of a job that is done, ``webhook``
    if the job has a callback.
    """

    job_id: str
    trace_id: str
    state: JobState
    progress: Annotated[float, msgspec.Meta(description="From 0 to 1.")]
    starts_in_s: int | None
    text: Annotated[str, msgspec.Meta(description="The text so far.")]
    result: Annotated[
        msgspec.Raw | None,
        msgspec.Meta(
            description="The transcript once `state` is `done`, as its API returns it.",
            extra_json_schema={"type": ["object", "null"]},
        ),
    ]
    error: Annotated[ErrorBody | None, msgspec.Meta(description="Why the job failed.")]
    transcript_id: NotRequired[str]
    webhook: NotRequired[WebhookBody]


def body_of(view: JobView) -> JobBody:
    """Return the response body of a job."""
    if isinstance(view, UploadingJob):
        return _uploading_body(view)
    body = job_body(view.job, view.starts_in_s, keeps_results=view.keeps_results)
    if view.webhook is not None:
        body["webhook"] = view.webhook
    return body


def job_body(job: Job, starts_in_s: int | None = None, *, keeps_results: bool = False) -> JobBody:
    """Return the response body of a stored job, without its webhook."""
    body: JobBody = {
        "job_id": job.spec.job_id,
        "trace_id": job.spec.trace_id,
        "state": job.state,
        "progress": round(job.progress, 4),
        "starts_in_s": starts_in_s,
        "text": job.text,
        "result": None if job.result is None else msgspec.Raw(job.result),
        "error": None if job.error is None else msgspec.json.decode(job.error, type=ErrorBody),
    }
    if keeps_results and job.state is JobState.DONE and job.text:  # others have no transcript
        body["transcript_id"] = job.spec.uid
    return body


def _uploading_body(job: UploadingJob) -> JobBody:
    """Return the response body of a job whose upload is in progress."""
    return {
        "job_id": job.job_id,
        "trace_id": job.trace_id,
        "state": JobState.CANCELLED if job.is_cancelled else JobState.QUEUED,
        "progress": 0.0,
        "starts_in_s": None,
        "text": "",
        "result": None,
        "error": None,
    }


class JobSummary(TypedDict):
    """A job in the list of ``GET /jobs``.

    ``file_name`` is empty if the caller has sent none; ``duration_ms`` is the length of the audio,
    of a job that is done.
    """

    job_id: str
    trace_id: str
    state: JobState
    progress: float
    accepted_at: float
    finished_at: float | None
    audio_bytes: int
    file_name: str
    duration_ms: int | None


class JobsBody(TypedDict):
    """The response body of ``GET /jobs``."""

    jobs: list[JobSummary]
    next: int | None


def jobs_body(page: JobsPage) -> JobsBody:
    """Return the response body of a page of jobs."""
    summaries: list[JobSummary] = [
        {
            "job_id": job.spec.job_id,
            "trace_id": job.spec.trace_id,
            "state": job.state,
            "progress": round(job.progress, 4),
            "accepted_at": job.accepted_at,
            "finished_at": job.finished_at,
            "audio_bytes": job.spec.audio_bytes,
            "file_name": job.spec.file_name,
            "duration_ms": job.duration_ms,
        }
        for job in page.jobs
    ]
    return {"jobs": summaries, "next": page.next}
