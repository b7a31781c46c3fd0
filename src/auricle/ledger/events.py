"""Events, stored in the transaction of what they report.

An optional part sends them; until a server has it, they wait. ``now`` is Unix time in seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from auricle.ledger.databases.database import Transaction

ABANDON_S = 7 * 24 * 3600.0
"""Age at which a pending event no longer keeps its subject, if no server sends it."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is reported to a receiver.

    Attributes:
        id: Stable id; receivers recognise a repeated delivery by it.
        type: What happened, such as ``job.done``.
        subject: What it happened to, such as ``jobs/UID``; its events are deleted with it.
        owner: The owner of the subject, whose secret signs the body.
        payload: Data of the event as JSON; empty: the subject's row gives them at each attempt.
    """

    id: str
    type: str
    subject: str
    owner: str
    payload: bytes = b""


def queue(
    transaction: Transaction, event: Event, url: str, now: float, wait_s: float = 0.0
) -> None:
    """Queue an event that happens now; one that is stored already stays as it is.

    Args:
        transaction: The transaction of what the event reports.
        event: The event.
        url: The receiver.
        now: Unix time.
        wait_s: Time until the event may be sent, in seconds.
    """
    transaction.execute(
        "INSERT INTO deliveries (event_id, type, subject, owner, payload, "
        "url, receiver, created_at, next_at, state, attempts) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', 0) ON CONFLICT (event_id) DO NOTHING",
        event.id,
        event.type,
        event.subject,
        event.owner,
        event.payload,
        url,
        urlsplit(url).netloc.lower(),
        now,
        now + wait_s,
    )


def queue_newer(
    transaction: Transaction, event: Event, url: str, now: float, wait_s: float
) -> None:
    """Queue an event in place of earlier ones of its type and subject, except attempts."""
    transaction.execute(
        "DELETE FROM deliveries WHERE subject = ? AND type = ? AND url = ? "
        "AND (state <> 'pending' OR attempts = 0)",
        event.subject,
        event.type,
        url,
    )
    queue(transaction, event, url, now, wait_s)


def hasten(transaction: Transaction, type: str, subject: str, now: float) -> None:
    """Make an event due that was never sent, and waits for a newer one."""
    transaction.execute(
        "UPDATE deliveries SET next_at = ? WHERE subject = ? AND type = ? "
        "AND state = 'pending' AND attempts = 0 AND next_at > ?",
        now,
        subject,
        type,
        now,
    )


def delete_events(transaction: Transaction, subjects: Sequence[str]) -> None:
    """Delete the events of subjects that are deleted, sent or not."""
    if subjects:
        marks = ", ".join("?" for _ in subjects)
        transaction.execute(f"DELETE FROM deliveries WHERE subject IN ({marks})", *subjects)
