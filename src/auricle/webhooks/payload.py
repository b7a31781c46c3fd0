"""What the receiver of an event gets.

That is in the format of the API that accepted the job, or if the event is not of a job, as the
Standard Webhooks specification describes it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from auricle.ledger.jobs.events import uid_in
from auricle.ledger.jobs.store import Ledger
from auricle.protocol.errors import ErrorResponse
from auricle.server.http.errors import error_body
from auricle.server.job_answers import JobAnswers, answers_of
from auricle.server.uploads.params import decode_params
from auricle.values.errors import ApiUnavailable
from auricle.webhooks.outbox import Delivery
from auricle.webhooks.request import Payload


def payload_of(
    ledger: Ledger, apis: Mapping[str, JobAnswers], delivery: Delivery, *, keeps_results: bool
) -> Payload | None:
    """Return what the receiver of an event gets; ``None`` if its subject was deleted.

    An event that has its data is sent in the format of the Standard Webhooks specification. Of a
    job, the API that accepted it renders the event.
    """
    event = delivery.event
    if event.payload:
        return Payload("POST", _event_body(delivery, event.payload))
    job = ledger.accepted(uid_in(event.subject))
    if job is None:
        return None
    params = decode_params(job.spec.request)
    assert params.callback is not None, "the job has a delivery"
    try:
        answers = answers_of(apis, job.spec.api)
    except ApiUnavailable as error:
        body = msgspec.json.encode(ErrorResponse(error=error_body(error)))
    else:
        body = answers.webhook(job, keeps_results)
        body = _event_body(delivery, body) if answers.is_event_data else body
    return Payload(params.callback.method, body)


def _event_body(delivery: Delivery, data: bytes) -> bytes:
    """Return an event with its data as the Standard Webhooks specification describes it."""
    happened_at = datetime.fromtimestamp(delivery.created_at, UTC)
    return msgspec.json.encode(
        {
            "type": delivery.event.type,
            "event_id": delivery.event.id,
            "timestamp": happened_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "data": msgspec.Raw(data),
        }
    )
