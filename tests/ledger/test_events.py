"""One suite for both databases: which events are stored, and which replace others."""

import pytest

from auricle.ledger.databases.database import Database, Transaction
from auricle.ledger.events import Event, delete_events, hasten, queue, queue_newer
from auricle.webhooks.events import StoredEvents
from auricle.webhooks.outbox import Delivery

NOW = 1.8e9
URL = "https://Receiver.example:8443/hook"


@pytest.fixture
def events(database: Database) -> StoredEvents:
    return StoredEvents(database)


def an_event(
    id: str = "uid.done", subject: str = "jobs/uid", *, type: str = "job.done", payload: bytes = b""
) -> Event:
    return Event(id, type, subject, "key", payload)


def put(database: Database, *events: Event, url: str = URL, wait_s: float = 0.0) -> None:
    def work(transaction: Transaction) -> None:
        for event in events:
            queue(transaction, event, url, NOW, wait_s)

    database.write("event", work)


def ids(events: StoredEvents, subject: str = "jobs/uid") -> list[str]:
    return [delivery.event.id for delivery in events.of(subject)]


def test_an_event_of_any_type_is_stored_with_its_data(
    database: Database, events: StoredEvents
) -> None:
    event = an_event(type="new.type", payload=b'{"a": 1}')
    put(database, event, event, wait_s=5)

    assert events.of("jobs/uid") == [Delivery(event, URL, "receiver.example:8443", NOW, NOW + 5)]


def test_an_event_replaces_an_earlier_one_that_was_never_sent(
    database: Database, events: StoredEvents
) -> None:
    def report(number: int) -> None:
        event = an_event(f"uid.{number}", payload=b"{}")
        database.write("event", lambda t: queue_newer(t, event, URL, NOW + number, 0.0))

    report(1)
    report(2)
    assert ids(events) == ["uid.2"]
    attempt = events.next_delivery(NOW + 2)
    assert attempt is not None
    report(3)
    assert ids(events) == ["uid.2", "uid.3"]  # the second may have been sent without the third
    events.end_attempt(attempt, 200, NOW + 3)
    report(4)

    assert ids(events) == ["uid.4"]


def test_events_of_other_types_subjects_and_receivers_are_not_replaced(
    database: Database, events: StoredEvents
) -> None:
    put(database, an_event("type", type="other"), an_event("subject", "jobs/other"))
    put(database, an_event("receiver"), url="https://other.example/")
    database.write("event", lambda t: queue_newer(t, an_event(), URL, NOW, 0.0))

    assert set(ids(events)) == {"type", "receiver", "uid.done"}
    assert ids(events, "jobs/other") == ["subject"]


def test_an_event_that_waits_for_newer_ones_is_hastened(
    database: Database, events: StoredEvents
) -> None:
    put(database, an_event(), wait_s=60)
    assert events.next_delivery(NOW) is None
    database.write("end", lambda t: hasten(t, "job.done", "jobs/other", NOW))
    database.write("end", lambda t: hasten(t, "job.failed", "jobs/uid", NOW))
    assert events.next_delivery(NOW) is None
    database.write("end", lambda t: hasten(t, "job.done", "jobs/uid", NOW))

    assert events.next_delivery(NOW) is not None


def test_an_attempt_is_not_hastened(database: Database, events: StoredEvents) -> None:
    put(database, an_event())
    assert events.next_delivery(NOW) is not None
    database.write("end", lambda t: hasten(t, "job.done", "jobs/uid", NOW))

    assert events.next_delivery(NOW) is None


def test_events_are_deleted_with_their_subjects(database: Database, events: StoredEvents) -> None:
    put(database, an_event("1", "jobs/1"), an_event("2", "jobs/2"), an_event("3", "jobs/3"))
    assert events.next_delivery(NOW) is not None
    database.write("delete", lambda t: delete_events(t, ["jobs/1", "jobs/2"]))
    database.write("delete", lambda t: delete_events(t, []))

    assert [ids(events, f"jobs/{n}") for n in (1, 2, 3)] == [[], [], ["3"]]
