"""Background jobs in Deepgram's format: the response for a file, or the error, as it is sent."""

import msgspec

from auricle.apis.deepgram.wire.errors import DeepgramError
from auricle.apis.deepgram.wire.results import FileResponse
from auricle.files.transcribe import FileTranscript
from auricle.ledger.jobs.job import Job, JobSpec, JobState
from auricle.protocol.errors import ErrorBody
from auricle.server.job_answers import AnswerFormat, JobAnswers
from auricle.server.uploads.params import TranscriptionParams

API = "deepgram"

_CANCELLED: ErrorBody = {
    "code": "cancelled",
    "message": "The job was cancelled.",
    "retryable": False,
    "retry_after_s": None,
}


def answer_format(response: FileResponse) -> AnswerFormat:
    """Return the format of a job whose transcript completes a response."""
    return AnswerFormat(API, msgspec.json.encode(response))


def _result(
    spec: JobSpec, params: TranscriptionParams, model: str, result: FileTranscript
) -> bytes:
    response = msgspec.json.decode(spec.answer, type=FileResponse)
    return msgspec.json.encode(
        response.body(result.transcript, result.gaps, result.warnings, result.channels)
    )


def _webhook(job: Job, keeps_results: bool) -> bytes:
    if job.state is not JobState.DONE:
        return msgspec.json.encode(_error(job))
    assert job.result is not None, "the job is done"
    return job.result


def _error(job: Job) -> DeepgramError:
    failed = job.error is not None and msgspec.json.decode(job.error, type=ErrorBody)
    error = failed or _CANCELLED
    return {
        "err_code": error["code"].upper(),
        "err_msg": error["message"],
        "request_id": job.spec.job_id,
        "code": error["code"],
    }


ANSWERS = JobAnswers(_result, _webhook)
