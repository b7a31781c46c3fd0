"""One suite for both databases: which events are sent, when, and which replace others."""

import pytest

from auricle.ledger.databases.database import Database, Transaction
from auricle.ledger.webhooks.events import (
    StoredEvents,
    count_pending,
    delete_events,
    hasten,
    make_due,
    queue,
    queue_newer,
    queue_single,
)
from auricle.ledger.webhooks.outbox import (
    FIRST_RETRY_S,
    Delivery,
    DeliveryState,
    Event,
    new_delivery,
)

HOUR_S = 3600.0
NOW = 1.8e9


@pytest.fixture
def events(database: Database) -> StoredEvents:
    return StoredEvents(database)


@pytest.fixture
def other(database: Database) -> StoredEvents:
    return StoredEvents(database)


def a_delivery(
    id: str = "uid.done",
    subject: str = "jobs/uid",
    *,
    type: str = "job.done",
    owner: str = "key",
    host: str = "receiver.example",
    payload: bytes = b"",
    now: float = NOW,
    wait_s: float = 0.0,
) -> Delivery:
    event = Event(id, type, subject, owner, payload)
    return new_delivery(event, f"https://{host}/hook", now, wait_s)


def put(database: Database, *deliveries: Delivery) -> None:
    def work(transaction: Transaction) -> None:
        for delivery in deliveries:
            queue(transaction, delivery)

    database.write("event", work)


def ids(events: StoredEvents, subject: str = "jobs/uid") -> list[str]:
    return [delivery.event.id for delivery in events.of(subject)]


def test_an_event_of_any_type_is_stored_with_its_data(
    database: Database, events: StoredEvents
) -> None:
    delivery = a_delivery(type="new.type", payload=b'{"a": 1}')
    put(database, delivery, delivery)

    assert events.of("jobs/uid") == [delivery]


def test_a_delivery_is_attempted_by_one_gateway_until_it_succeeds(
    database: Database, events: StoredEvents, other: StoredEvents
) -> None:
    put(database, a_delivery())
    attempt = events.next_delivery(NOW)

    assert attempt is not None
    assert (attempt.url, attempt.attempts) == ("https://receiver.example/hook", 1)
    assert other.next_delivery(NOW) is None
    events.end_attempt(attempt, 503, NOW)
    assert other.next_delivery(NOW + FIRST_RETRY_S - 1) is None
    again = other.next_delivery(NOW + FIRST_RETRY_S)
    assert again is not None
    assert again.event == attempt.event
    other.end_attempt(again, 204, NOW + FIRST_RETRY_S)
    assert other.next_delivery(NOW + HOUR_S) is None
    (delivery,) = events.of("jobs/uid")
    assert (delivery.state, delivery.status) == (DeliveryState.DELIVERED, 204)


def test_after_a_restart_webhooks_that_were_cut_off_are_due(
    database: Database, events: StoredEvents
) -> None:
    put(database, a_delivery())
    first = events.next_delivery(NOW)
    assert events.next_delivery(NOW + 1) is None
    database.write("start", lambda t: make_due(t, NOW + 1))
    second = events.next_delivery(NOW + 1)

    assert first is not None
    assert second is not None
    assert first.event == second.event


def test_full_receivers_and_owners_are_left_out(database: Database, events: StoredEvents) -> None:
    for owner, host in (("a", "one.example"), ("a", "two.example"), ("b", "two.example:81")):
        put(database, a_delivery(f"{owner} {host}", owner=owner, host=host))

    assert events.next_delivery(NOW, ["one.example", "two.example"], ["b"]) is None
    due = events.next_delivery(NOW, ["two.example"], ["b"])
    assert due is not None
    assert due.receiver == "one.example"
    due = events.next_delivery(NOW, [], ["a"])
    assert due is not None
    assert due.receiver == "two.example:81"


def test_an_attempt_in_progress_is_not_repeated_if_the_clock_jumps(
    database: Database, events: StoredEvents
) -> None:
    put(database, a_delivery())
    due = events.next_delivery(NOW)

    assert due is not None
    assert events.next_delivery(NOW + HOUR_S, running=[due.event.id]) is None
    assert events.next_delivery(NOW + HOUR_S) is not None


def test_after_the_clock_was_set_back_a_webhook_does_not_wait_for_the_old_time(
    database: Database, events: StoredEvents
) -> None:
    put(database, a_delivery())

    assert events.next_delivery(NOW - 1) is None
    assert events.next_delivery(NOW - 2 * HOUR_S) is not None


def test_an_event_replaces_an_earlier_one_that_was_never_sent(
    database: Database, events: StoredEvents
) -> None:
    def report(number: int) -> None:
        delivery = a_delivery(f"uid.{number}", payload=b"{}", now=NOW + number)
        database.write("event", lambda t: queue_newer(t, delivery))

    report(1)
    report(2)
    assert ids(events) == ["uid.2"]
    assert events.next_delivery(NOW + 2) is not None
    report(3)
    assert ids(events) == ["uid.2", "uid.3"]  # the second may have been sent without the third
    events.end_attempt(a_delivery("uid.2"), 200, NOW + 3)
    report(4)

    assert ids(events) == ["uid.4"]


def test_events_of_other_types_subjects_and_receivers_are_not_replaced(
    database: Database, events: StoredEvents
) -> None:
    put(
        database,
        a_delivery("type", type="other"),
        a_delivery("receiver", host="other.example"),
        a_delivery("subject", "jobs/other"),
    )
    database.write("event", lambda t: queue_newer(t, a_delivery()))

    assert set(ids(events)) == {"type", "receiver", "uid.done"}
    assert ids(events, "jobs/other") == ["subject"]


def test_only_one_event_of_a_kind_is_pending_at_a_time(
    database: Database, events: StoredEvents
) -> None:
    def report(number: int) -> None:
        delivery = a_delivery(f"uid.{number}", now=NOW + number)
        database.write("event", lambda t: queue_single(t, delivery))

    report(1)
    report(2)
    assert ids(events) == ["uid.1"]
    attempt = events.next_delivery(NOW + 2)
    assert attempt is not None
    report(3)
    assert ids(events) == ["uid.1"]
    events.end_attempt(attempt, 200, NOW + 3)
    report(4)

    assert ids(events) == ["uid.4"]


def test_an_event_that_waits_for_newer_ones_is_hastened(
    database: Database, events: StoredEvents
) -> None:
    put(database, a_delivery(wait_s=60))
    assert events.next_delivery(NOW) is None
    database.write("end", lambda t: hasten(t, "job.done", "jobs/other", NOW))
    database.write("end", lambda t: hasten(t, "job.failed", "jobs/uid", NOW))
    assert events.next_delivery(NOW) is None
    database.write("end", lambda t: hasten(t, "job.done", "jobs/uid", NOW))

    assert events.next_delivery(NOW) is not None


def test_an_attempt_is_not_hastened(database: Database, events: StoredEvents) -> None:
    put(database, a_delivery())
    assert events.next_delivery(NOW) is not None
    database.write("end", lambda t: hasten(t, "job.done", "jobs/uid", NOW))

    assert events.next_delivery(NOW) is None


def test_events_are_deleted_with_their_subjects(database: Database, events: StoredEvents) -> None:
    put(database, a_delivery("1", "jobs/1"), a_delivery("2", "jobs/2"), a_delivery("3", "jobs/3"))
    attempt = events.next_delivery(NOW)
    assert attempt is not None
    database.write("delete", lambda t: delete_events(t, ["jobs/1", "jobs/2"]))
    database.write("delete", lambda t: delete_events(t, []))

    assert database.read(count_pending) == 1
    assert ids(events, "jobs/3") == ["3"]
    assert events.end_attempt(a_delivery("1", "jobs/1"), 200, NOW) is None
