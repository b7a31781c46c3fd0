"""Webhook deliveries: when to send, when to send again, when to give up. No I/O.

A delivery is queued in the transaction of what it reports, see :mod:`auricle.ledger.events`. It is
sent at least once.
"""

import enum
from dataclasses import dataclass, replace

from auricle.ledger.events import Event

SEND_S = 60.0
"""Time in which an attempt must have ended; then another gateway may try."""
FIRST_RETRY_S = 5.0
MAX_RETRY_S = 3600.0
GIVE_UP_S = 24 * 3600.0
"""Age at which a delivery that never succeeded has failed."""


class DeliveryState(enum.StrEnum):
    """State of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    REFUSED = "refused"
    """The receiver answered that it will not accept the event."""
    FAILED = "failed"
    """The receiver did not accept the event within a day."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery of an event to a receiver: one row of the outbox.

    Attributes:
        event: The event.
        url: Where the event is sent.
        receiver: Host and port of the URL: one slow receiver must not delay others.
        created_at: When the event happened.
        next_at: Earliest time of the next attempt.
        state: State of the delivery.
        attempts: Number of attempts that were started.
        status: Latest HTTP status; ``None``: no answer so far.
    """

    event: Event
    url: str
    receiver: str
    created_at: float
    next_at: float
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    status: int | None = None


def start_attempt(delivery: Delivery, now: float) -> Delivery:
    """Return the delivery with an attempt in progress, which others don't repeat meanwhile."""
    return replace(delivery, attempts=delivery.attempts + 1, next_at=now + SEND_S)


def end_attempt(current: Delivery, attempt: Delivery, status: int | None, now: float) -> Delivery:
    """Return the delivery after an attempt.

    Args:
        current: The delivery as it is stored.
        attempt: The delivery as :func:`start_attempt` returned it; a late attempt may only report
            success.
        status: The receiver's HTTP status; ``None``: it did not answer.
        now: Unix time.
    """
    if current.state is not DeliveryState.PENDING:
        return current
    if status is not None and 200 <= status < 300:
        return replace(current, state=DeliveryState.DELIVERED, status=status)
    if current.attempts != attempt.attempts:
        return current
    if status is not None and _is_refusal(status):
        return replace(current, state=DeliveryState.REFUSED, status=status)
    if now - current.created_at >= GIVE_UP_S:
        return replace(current, state=DeliveryState.FAILED, status=status)
    return replace(current, status=status, next_at=now + retry_delay_s(current.attempts))


def interrupt_attempt(current: Delivery, attempt: Delivery, now: float) -> Delivery:
    """Return the delivery after an attempt that the stop of this process has cut off."""
    if current.state is not DeliveryState.PENDING or current.attempts != attempt.attempts:
        return current
    return replace(current, next_at=now)


def retry_delay_s(attempts: int) -> float:
    """Return the delay after this number of failed attempts: doubled each time, up to an hour."""
    return min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempts - 1, 20))


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status not in (408, 429)  # RFC 9110 §15.5.9, RFC 6585 §4
