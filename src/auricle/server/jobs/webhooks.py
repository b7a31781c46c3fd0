"""Webhooks: whether a request may have a callback, and what its receiver gets.

The receiver of a native job gets an event as the Standard Webhooks specification describes it, with
the job as ``GET /jobs/{id}`` returns it. The receiver of a job of Deepgram's API gets that API's
response, or its error.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal, TypedDict

import msgspec
from starlette.datastructures import Headers

from auricle.apis.deepgram.wire.errors import DeepgramError
from auricle.ledger.job import Job, JobState
from auricle.ledger.outbox import Delivery
from auricle.ledger.webhooks.request import Payload, check_callback_url
from auricle.protocol.errors import ErrorBody
from auricle.server.jobs.background_jobs.bodies import JobBody, job_body
from auricle.server.service import Service
from auricle.server.uploads.params import Callback, decode_params
from auricle.values.errors import BadRequest

_CANCELLED: ErrorBody = {
    "code": "cancelled",
    "message": "The job was cancelled.",
    "retryable": False,
    "retry_after_s": None,
}


class WebhookEvent(TypedDict):
    """The body of a native webhook, without the state of its delivery."""

    type: Literal["job.done", "job.failed", "job.cancelled"]
    event_id: str
    timestamp: str
    data: JobBody


def check_callback(server: Service, headers: Headers, callback: Callback, field: str) -> Callback:
    """Return a callback that this server may send to.

    Visitors of a page have tokens of its key: they can't have the key's signature sent elsewhere.

    Args:
        server: The server's state.
        headers: The request's headers.
        callback: The callback.
        field: Name of its URL in the request.

    Raises:
        BadRequest: The server sends no webhooks, or the URL is invalid or private.
        Unauthorized: The request carries a token, not a key.
    """
    server.keyring.check_is_key(headers)
    settings = server.ledger_settings
    if settings.webhook_secret is None:
        raise BadRequest(
            f"{field} is not available: the operator has to set AURICLE_WEBHOOK_SECRET.", field
        )
    allow_private = settings.webhook_allow_private
    url = check_callback_url(callback.url, allow_private=allow_private, field=field)
    return replace(callback, url=url)


def payload_of(delivery: Delivery, job: Job, *, keeps_transcripts: bool = False) -> Payload:
    """Return what the receiver of a job gets when the job has ended; the same for each attempt."""
    params = decode_params(job.spec.request)
    assert params.callback is not None, "the job has a delivery"
    if params.deepgram is None:
        body = msgspec.json.encode(
            _event(delivery, job_body(job, keeps_transcripts=keeps_transcripts))
        )
    elif job.state is JobState.DONE:
        assert job.result is not None, "the job is done"
        body = job.result
    else:
        body = msgspec.json.encode(_deepgram_error(job))
    return Payload(params.callback.method, body)


def _event(delivery: Delivery, job: JobBody) -> WebhookEvent:
    ended_at = datetime.fromtimestamp(delivery.created_at, UTC)
    return {
        "type": f"job.{job['state'].value}",  # type: ignore[typeddict-item]  # the job has ended
        "event_id": delivery.event_id,
        "timestamp": ended_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": job,
    }


def _deepgram_error(job: Job) -> DeepgramError:
    error = job_body(job)["error"] or _CANCELLED
    return {
        "err_code": error["code"].upper(),
        "err_msg": error["message"],
        "request_id": job.spec.job_id,
        "code": error["code"],
    }
