"""One suite for both databases: which events are sent, and when."""

import pytest

from auricle.ledger.databases.database import Database
from auricle.ledger.events import Event, delete_events, queue
from auricle.webhooks.events import StoredEvents, count_pending, make_due, queue_single
from auricle.webhooks.outbox import FIRST_RETRY_S, DeliveryState

HOUR_S = 3600.0
NOW = 1.8e9


@pytest.fixture
def events(database: Database) -> StoredEvents:
    return StoredEvents(database)


@pytest.fixture
def other(database: Database) -> StoredEvents:
    return StoredEvents(database)


def an_event(id: str = "uid.done", owner: str = "key") -> Event:
    return Event(id, "job.done", "jobs/uid", owner)


def put(database: Database, event: Event, host: str = "receiver.example") -> None:
    database.write("event", lambda t: queue(t, event, f"https://{host}/hook", NOW))


def ids(events: StoredEvents) -> list[str]:
    return [delivery.event.id for delivery in events.of("jobs/uid")]


def test_a_delivery_is_attempted_by_one_gateway_until_it_succeeds(
    database: Database, events: StoredEvents, other: StoredEvents
) -> None:
    put(database, an_event())
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
    put(database, an_event())
    first = events.next_delivery(NOW)
    assert events.next_delivery(NOW + 1) is None
    database.write("start", lambda t: make_due(t, NOW + 1))
    second = events.next_delivery(NOW + 1)

    assert first is not None
    assert second is not None
    assert first.event == second.event


def test_full_receivers_and_owners_are_left_out(database: Database, events: StoredEvents) -> None:
    for owner, host in (("a", "one.example"), ("a", "two.example"), ("b", "two.example:81")):
        put(database, an_event(f"{owner} {host}", owner), host)

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
    put(database, an_event())
    due = events.next_delivery(NOW)

    assert due is not None
    assert events.next_delivery(NOW + HOUR_S, running=[due.event.id]) is None
    assert events.next_delivery(NOW + HOUR_S) is not None


def test_after_the_clock_was_set_back_a_webhook_does_not_wait_for_the_old_time(
    database: Database, events: StoredEvents
) -> None:
    put(database, an_event())

    assert events.next_delivery(NOW - 1) is None
    assert events.next_delivery(NOW - 2 * HOUR_S) is not None


def test_only_one_event_of_a_kind_is_pending_at_a_time(
    database: Database, events: StoredEvents
) -> None:
    def report(number: int) -> None:
        event, url = an_event(f"uid.{number}"), "https://receiver.example/hook"
        database.write("event", lambda t: queue_single(t, event, url, NOW + number))

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


def test_the_end_of_an_attempt_changes_nothing_if_the_event_was_deleted(
    database: Database, events: StoredEvents
) -> None:
    put(database, an_event())
    attempt = events.next_delivery(NOW)
    assert attempt is not None
    database.write("delete", lambda t: delete_events(t, ["jobs/uid"]))

    assert events.end_attempt(attempt, 200, NOW) is None
    assert events.of("jobs/uid") == []


def test_events_that_have_not_ended_are_counted(database: Database, events: StoredEvents) -> None:
    put(database, an_event("uid.1"))
    put(database, an_event("uid.2"))
    attempt = events.next_delivery(NOW)
    assert attempt is not None
    assert database.read(count_pending) == 2
    events.end_attempt(attempt, 200, NOW)

    assert database.read(count_pending) == 1
