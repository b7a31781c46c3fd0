"""Events and their deliveries in the database; ``now`` is Unix time in seconds.

:mod:`auricle.ledger.events` queues events in the transactions of what they report.
"""

from collections.abc import Callable, Collection

from auricle.ledger.databases.database import Database, Row, Transaction
from auricle.ledger.events import Event, queue
from auricle.webhooks import outbox
from auricle.webhooks.outbox import Delivery, DeliveryState

_COLUMNS = (
    "event_id, type, subject, owner, payload, "
    "url, receiver, created_at, next_at, state, attempts, status"
)
_SELECT = f"SELECT {_COLUMNS} FROM deliveries"


def queue_single(transaction: Transaction, event: Event, url: str, now: float) -> None:
    """Queue an event unless one of its type and subject is pending; those that ended are deleted.

    For events whose subject gives the latest data at each attempt.
    """
    pending = transaction.execute(
        "SELECT 1 FROM deliveries WHERE subject = ? AND type = ? AND state = 'pending' LIMIT 1",
        event.subject,
        event.type,
    )
    if not pending:
        transaction.execute(
            "DELETE FROM deliveries WHERE subject = ? AND type = ?", event.subject, event.type
        )
        queue(transaction, event, url, now)


def make_due(transaction: Transaction, now: float) -> None:
    """Make deliveries due whose attempts the end of the last server has cut off.

    Others that would be due within ``SEND_S`` are due as well.
    """
    transaction.execute(
        "UPDATE deliveries SET next_at = ? WHERE state = 'pending' "
        "AND next_at > ? AND next_at <= ?",
        now,
        now,
        now + outbox.SEND_S,
    )


def count_pending(transaction: Transaction) -> int:
    """Return the number of deliveries that have not ended."""
    ((pending,),) = transaction.execute("SELECT COUNT(*) FROM deliveries WHERE state = 'pending'")
    return int(pending)


class StoredEvents:
    """The events in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_delivery(
        self,
        now: float,
        full_receivers: Collection[str] = (),
        full_owners: Collection[str] = (),
        running: Collection[str] = (),
    ) -> Delivery | None:
        """Start an attempt of the delivery that is due the longest; ``None`` if none is due.

        Args:
            now: Unix time.
            full_receivers: Receivers to leave out, because enough attempts are in progress.
            full_owners: Owners to leave out for the same reason.
            running: Event ids of this process's attempts; the clock may have been set since.
        """

        def work(transaction: Transaction) -> Delivery | None:
            rows = transaction.execute(
                f"{_SELECT} WHERE state = 'pending' AND (next_at <= ? OR next_at > ?) "
                f"{_except('receiver', full_receivers)}{_except('owner', full_owners)}"
                f"{_except('event_id', running)}"
                f"ORDER BY next_at LIMIT 1{transaction.skip_locked}",
                now,
                now + outbox.MAX_RETRY_S,
                *full_receivers,
                *full_owners,
                *running,
            )
            if not rows:
                return None
            attempt = outbox.start_attempt(_delivery(rows[0]), now)
            _update(transaction, attempt)
            return attempt

        return self._database.write("attempt", work)

    def end_attempt(self, attempt: Delivery, status: int | None, now: float) -> Delivery | None:
        """Store the outcome of an attempt: an HTTP status, or ``None`` if there was no answer.

        Returns:
            The delivery after it; ``None`` if the event was deleted meanwhile.
        """
        return self._change(
            attempt, lambda current: outbox.end_attempt(current, attempt, status, now)
        )

    def interrupt_attempt(self, attempt: Delivery, now: float) -> None:
        """Make a delivery due again whose attempt was cut off, because this process stops."""
        self._change(attempt, lambda current: outbox.interrupt_attempt(current, attempt, now))

    def _change(self, attempt: Delivery, change: Callable[[Delivery], Delivery]) -> Delivery | None:
        def work(transaction: Transaction) -> Delivery | None:
            rows = transaction.execute(
                f"{_SELECT} WHERE event_id = ?{transaction.for_update}", attempt.event.id
            )
            if not rows:
                return None
            changed = change(_delivery(rows[0]))
            _update(transaction, changed)
            return changed

        return self._database.write("delivery", work)

    def of(self, subject: str) -> list[Delivery]:
        """Return the deliveries of a subject's events, the oldest first."""
        statement = f"{_SELECT} WHERE subject = ? ORDER BY created_at"
        return self._database.read(
            lambda t: [_delivery(row) for row in t.execute(statement, subject)]
        )


def _update(transaction: Transaction, delivery: Delivery) -> None:
    transaction.execute(
        "UPDATE deliveries SET next_at = ?, state = ?, attempts = ?, status = ? WHERE event_id = ?",
        delivery.next_at,
        delivery.state.value,
        delivery.attempts,
        delivery.status,
        delivery.event.id,
    )


def _delivery(row: Row) -> Delivery:
    event, (url, receiver, created_at, next_at, state, attempts, status) = Event(*row[:5]), row[5:]
    return Delivery(
        event, url, receiver, created_at, next_at, DeliveryState(state), attempts, status
    )


def _except(column: str, values: Collection[str]) -> str:
    marks = ", ".join("?" for _ in values)
    return f"AND {column} NOT IN ({marks}) " if values else ""
