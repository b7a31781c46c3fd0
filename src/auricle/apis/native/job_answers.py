"""Background jobs in the native format: the transcript, and the event that a job has ended.

The data of the event is the job as ``GET /jobs/{id}`` returns it.
"""

from typing import Literal, TypedDict

import msgspec

from auricle.apis.native.job_bodies import JobBody, job_body
from auricle.files.transcribe import FileTranscript
from auricle.ledger.jobs.job import Job, JobSpec
from auricle.server.job_answers import AnswerFormat, JobAnswers
from auricle.server.uploads.params import TranscriptionParams
from auricle.text.formats.native_json import TranscriptBody, transcript_body

API = "native"
FORMAT = AnswerFormat(API)


class WebhookEvent(TypedDict):
    """The body of a job's webhook, without the state of its delivery."""

    type: Literal["job.done", "job.failed", "job.cancelled", "job.progress"]
    event_id: str
    timestamp: str
    data: JobBody


def result_body(params: TranscriptionParams, model: str, result: FileTranscript) -> TranscriptBody:
    """Return the response for a transcript; takes a second for hours of audio."""
    warnings = (*params.warnings, *result.warnings)
    return transcript_body(
        params.job_id, params.trace_id, result.transcript, result.gaps, warnings, model=model
    )


def _result(
    spec: JobSpec, params: TranscriptionParams, model: str, result: FileTranscript
) -> bytes:
    return msgspec.json.encode(result_body(params, model, result))


def _webhook(job: Job, keeps_results: bool) -> bytes:
    return msgspec.json.encode(job_body(job, keeps_results=keeps_results))


ANSWERS = JobAnswers(_result, _webhook, is_event_data=True)
