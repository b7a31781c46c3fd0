"""Webhooks: whether a request may have a callback, and what its receiver gets.

That is in the format of the API that accepted the job, or if the event is not of a job, as the
Standard Webhooks specification describes it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
from starlette.datastructures import Headers

from auricle.ledger.jobs.events import KEPT, uid_in
from auricle.ledger.jobs.store import Ledger
from auricle.ledger.webhooks.outbox import Delivery
from auricle.ledger.webhooks.request import Payload, check_callback_url
from auricle.protocol.errors import ErrorResponse
from auricle.server.access.keyring import Keyring
from auricle.server.http.errors import error_body
from auricle.server.job_answers import JobAnswers, ReportedJob, answers_of
from auricle.server.jobs.background_jobs.jobs import BackgroundJobs
from auricle.server.uploads.params import Callback, decode_params
from auricle.values.errors import ApiUnavailable, BadRequest


def check_callback(
    keyring: Keyring, jobs: BackgroundJobs, headers: Headers, callback: Callback, field: str
) -> Callback:
    """Return a callback that this server may send to.

    Visitors of a page have tokens of its key: they can't have the key's signature sent elsewhere.

    Args:
        keyring: The keys.
        jobs: Whether the server sends webhooks.
        headers: The request's headers.
        callback: The callback.
        field: Name of its URL in the request.

    Raises:
        BadRequest: The server sends no webhooks or not these events, or the URL is invalid or
            private.
        Unauthorized: The request carries a token, not a key.
    """
    keyring.check_is_key(headers)
    if jobs.settings.webhook_secret is None:
        raise BadRequest(
            f"{field} is not available: the operator has to set AURICLE_WEBHOOK_SECRET.", field
        )
    if KEPT in callback.events and not jobs.keeps_results:
        settings = [f"{each.setting}=1" for each in jobs.result_keepers]
        hint = f": the operator has to set {' or '.join(settings)}" if settings else " here"
        raise BadRequest(f"`{KEPT}` is not available{hint}.", "webhook_events")
    allow_private = jobs.settings.webhook_allow_private
    url = check_callback_url(callback.url, allow_private=allow_private, field=field)
    return replace(callback, url=url)


def payload_of(
    ledger: Ledger, apis: Mapping[str, JobAnswers], delivery: Delivery, *, keeps_results: bool
) -> Payload | None:
    """Return what the receiver of an event gets; ``None`` if its subject was deleted.

    An event that has its data is sent in the format of the Standard Webhooks specification. Of a
    job, the API that accepted it renders the event.
    """
    event = delivery.event
    if event.payload:
        return Payload("POST", event_body(delivery, msgspec.Raw(event.payload)))
    job = ledger.accepted(uid_in(event.subject))
    if job is None:
        return None
    params = decode_params(job.spec.request)
    assert params.callback is not None, "the job has a delivery"
    reported = ReportedJob(job, delivery, keeps_results)
    try:
        body = answers_of(apis, job.spec.api).webhook(reported)
    except ApiUnavailable as error:
        body = msgspec.json.encode(ErrorResponse(error=error_body(error)))
    return Payload(params.callback.method, body)


def event_body(delivery: Delivery, data: object) -> bytes:
    """Return an event with its data as the Standard Webhooks specification describes it."""
    happened_at = datetime.fromtimestamp(delivery.created_at, UTC)
    return msgspec.json.encode(
        {
            "type": delivery.event.type,
            "event_id": delivery.event.id,
            "timestamp": happened_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "data": data,
        }
    )
