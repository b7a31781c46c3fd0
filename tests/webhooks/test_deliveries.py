"""The outbox, the sender and a real receiver together."""

import itertools
import time
from collections.abc import Callable

import anyio
import pytest

from auricle.ledger.databases.database import Database, T, Transaction
from auricle.ledger.events import Event, queue
from auricle.webhooks import deliveries, outbox
from auricle.webhooks.deliveries import MAX_PER_RECEIVER, WebhookRunner
from auricle.webhooks.events import StoredEvents
from auricle.webhooks.outbox import FIRST_RETRY_S, Delivery, DeliveryState
from auricle.webhooks.request import Payload, secret_of_owner, signature
from auricle.webhooks.sender import MAX_CONCURRENT, WebhookSender
from tests.support.ledger import DatabaseAway
from tests.support.poll import poll_until
from tests.support.receiver import receiver_running

NOW = 1.8e9

PENDING, DELIVERED = DeliveryState.PENDING, DeliveryState.DELIVERED
REFUSED, FAILED = DeliveryState.REFUSED, DeliveryState.FAILED


@pytest.fixture
def events(database: Database) -> StoredEvents:
    return StoredEvents(database)


def report(database: Database, name: str, url: str, owner: str = "key", now: float = NOW) -> str:
    """Queue an event, and return its subject."""
    event = Event(f"{name}.done", "job.done", f"jobs/{name}", owner)
    database.write("event", lambda t: queue(t, event, url, now))
    return event.subject


def render(delivery: Delivery) -> Payload | None:
    if delivery.event.subject == "jobs/unreadable":
        raise ValueError
    if delivery.event.subject == "jobs/deleted":
        return None
    body = f'{{"id": "{delivery.event.id}", "type": "{delivery.event.type}"}}'
    return Payload("POST", body.encode())


def secret_of(owner: str) -> bytes:
    return secret_of_owner(b"server", owner)


class FailingOnce(DatabaseAway):
    """A database that fails in one transaction with an error that is not translated."""

    def __init__(self, database: Database, name: str) -> None:
        super().__init__(database)
        self._name = name
        self.has_failed = False

    def write(self, name: str, work: Callable[[Transaction], T]) -> T:
        """Run a transaction, or fail."""
        if name == self._name and not self.has_failed:
            self.has_failed = True
            raise RuntimeError("no such table")
        return super().write(name, work)


async def deliver(
    events: StoredEvents,
    is_over: Callable[[], bool],
    now: Callable[[], float],
    timeout_s: float = 60,
    attempts: list[Delivery] | None = None,
) -> list[Delivery]:
    """Deliver until something holds; return and append the deliveries after each attempt."""
    attempts = [] if attempts is None else attempts
    sender = WebhookSender(allow_private=True, timeout_s=timeout_s)
    runner = WebhookRunner(
        events,
        sender,
        render=render,
        secret_of=secret_of,
        note_attempt=attempts.append,
        now=now,
        poll_s=0.01,
    )
    async with anyio.create_task_group() as group:
        group.start_soon(runner.run)
        await poll_until(is_over)
        group.cancel_scope.cancel()
    await sender.aclose()
    return attempts


def ticking(step_s: float) -> Callable[[], float]:
    """Return a clock that advances whenever it is read."""
    times = itertools.count(NOW, step_s)
    return lambda: next(times)


def state_of(events: StoredEvents, subject: str) -> DeliveryState:
    (delivery,) = events.of(subject)
    return delivery.state


async def test_an_event_is_delivered_signed(database: Database, events: StoredEvents) -> None:
    with receiver_running() as receiver:
        subject = report(database, "job", receiver.url("/204"))
        await deliver(events, lambda: state_of(events, subject) is DELIVERED, lambda: NOW)
    ((_, headers, body),) = receiver.requests

    assert body == b'{"id": "job.done", "type": "job.done"}'
    expected = signature(secret_of("key"), "job.done", int(NOW), body)
    assert headers["webhook-signature"] == expected


async def test_a_receiver_that_fails_gets_the_same_event_again(
    database: Database, events: StoredEvents
) -> None:
    with receiver_running() as receiver:
        receiver.statuses = [500, 503, 429]
        subject = report(database, "job", receiver.url("/200"))
        attempts = await deliver(
            events, lambda: state_of(events, subject) is DELIVERED, ticking(10)
        )
    ids = [headers["webhook-id"] for _, headers, _ in receiver.requests]

    assert ids == ["job.done"] * 4
    assert [(d.state, d.status) for d in attempts] == [
        *((PENDING, status) for status in (500, 503, 429)),
        (DELIVERED, 200),
    ]


async def test_a_receiver_that_fails_for_an_hour_gets_the_event_once_it_works(
    database: Database, events: StoredEvents
) -> None:
    attempts: list[Delivery] = []

    def now() -> float:
        """Return when the next attempt is due, so that none depends on how long others took."""
        time = attempts[-1].next_at if attempts else NOW
        receiver.statuses = [500] if time < NOW + 3600 else []
        return time

    with receiver_running() as receiver:
        subject = report(database, "job", receiver.url("/200"))
        await deliver(
            events, lambda: state_of(events, subject) is DELIVERED, now, attempts=attempts
        )
    states = [delivery.state for delivery in attempts]

    assert states == [PENDING] * (len(states) - 1) + [DELIVERED]
    assert 5 < len(states) < 15  # waits that double, not an attempt each few seconds


async def test_a_receiver_that_fails_for_a_day_gets_the_event_no_more(
    database: Database, events: StoredEvents
) -> None:
    with receiver_running() as receiver:
        subject = report(database, "job", receiver.url("/500"))
        attempts = await deliver(events, lambda: state_of(events, subject) is FAILED, ticking(600))

    assert attempts[-1].state is FAILED
    assert len(receiver.requests) == len(attempts)


async def test_receivers_that_hang_do_not_delay_others(
    database: Database, events: StoredEvents
) -> None:
    with receiver_running() as slow, receiver_running() as receiver:
        for count in range(MAX_CONCURRENT):
            report(database, f"hangs-{count}", slow.url(f"/hang?{count}"))
        subject = report(database, "works", receiver.url(), now=NOW + 1)
        await deliver(events, lambda: state_of(events, subject) is DELIVERED, lambda: NOW + 1)

    assert len(slow.requests) <= MAX_PER_RECEIVER


async def test_a_key_with_many_receivers_that_hang_does_not_delay_other_keys(
    database: Database, events: StoredEvents
) -> None:
    with receiver_running("0.0.0.0") as slow, receiver_running() as receiver:
        for count in range(MAX_CONCURRENT):
            report(database, f"{count}", slow.url("/hang", host=f"127.0.0.{count + 1}"))
        subject = report(database, "works", receiver.url(), "other", NOW + 1)
        await deliver(events, lambda: state_of(events, subject) is DELIVERED, lambda: NOW + 1)


async def test_a_full_receiver_gets_further_events_when_its_attempts_end(
    database: Database, events: StoredEvents
) -> None:
    with receiver_running() as receiver:
        subjects = [report(database, f"{n}", receiver.url()) for n in range(3 * MAX_PER_RECEIVER)]
        await deliver(
            events, lambda: all(state_of(events, s) is DELIVERED for s in subjects), lambda: NOW
        )

    assert len(receiver.requests) == len(subjects)


@pytest.mark.parametrize("path", ["/302", "/close", "/garbage"])
async def test_a_redirect_or_a_broken_answer_is_an_attempt_that_failed(
    database: Database, events: StoredEvents, path: str
) -> None:
    with receiver_running() as receiver:
        subject = report(database, "job", receiver.url(path))
        await deliver(
            events,
            lambda: events.of(subject)[0].next_at == NOW + FIRST_RETRY_S,
            lambda: NOW,
        )

    assert state_of(events, subject) is PENDING
    assert len(receiver.requests) == 1


async def test_an_attempt_that_hangs_ends_after_a_while(
    database: Database, events: StoredEvents
) -> None:
    with receiver_running() as receiver:
        subject = report(database, "job", receiver.url("/hang"))
        (attempt,) = await deliver(
            events,
            lambda: events.of(subject)[0].next_at == NOW + FIRST_RETRY_S,
            lambda: NOW,
            timeout_s=0.5,
        )

    assert (attempt.state, attempt.status) == (PENDING, None)


async def test_an_answer_of_10_mb_is_not_read(database: Database, events: StoredEvents) -> None:
    with receiver_running() as receiver:
        subject = report(database, "job", receiver.url("/long"))
        await deliver(events, lambda: state_of(events, subject) is DELIVERED, lambda: NOW)


async def test_a_refused_event_is_not_sent_again(database: Database, events: StoredEvents) -> None:
    with receiver_running() as receiver:
        subject = report(database, "job", receiver.url("/410"))
        await deliver(events, lambda: state_of(events, subject) is REFUSED, lambda: NOW)

    assert len(receiver.requests) == 1


async def test_an_event_whose_subject_was_deleted_is_not_sent(
    database: Database, events: StoredEvents
) -> None:
    with receiver_running() as receiver:
        report(database, "deleted", receiver.url())
        (attempt,) = await deliver(
            events, lambda: events.of("jobs/deleted")[0].next_at == NOW + FIRST_RETRY_S, lambda: NOW
        )

    assert attempt.status is None
    assert receiver.requests == []


async def test_an_event_that_cannot_be_sent_does_not_end_the_delivery_of_others(
    database: Database, events: StoredEvents
) -> None:
    with receiver_running() as receiver:
        report(database, "unreadable", receiver.url())
        subject = report(database, "job", receiver.url())
        await deliver(events, lambda: state_of(events, subject) is DELIVERED, lambda: NOW)

    assert len(receiver.requests) == 1


@pytest.mark.parametrize("name", ["attempt", "delivery"])
async def test_an_unexpected_error_of_the_database_does_not_end_the_runner(
    database: Database, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(deliveries, "FAILED_RETRY_S", 0.01)
    failing = FailingOnce(database, name)
    events = StoredEvents(failing)
    with receiver_running() as receiver:
        subject = report(database, "job", receiver.url())
        await deliver(
            events, lambda: state_of(events, subject) is DELIVERED, ticking(outbox.SEND_S)
        )

    assert failing.has_failed


async def test_an_attempt_that_was_cut_off_is_repeated_at_the_next_start(
    database: Database, events: StoredEvents
) -> None:
    with receiver_running() as receiver:
        subject = report(database, "job", receiver.url("/hang"))
        await deliver(events, lambda: bool(receiver.requests), lambda: NOW)
        due = events.next_delivery(NOW)

    assert due is not None
    assert (due.event.subject, due.attempts) == (subject, 2)


async def test_the_runner_has_no_work_once_nothing_is_due(
    database: Database, events: StoredEvents
) -> None:
    sender = WebhookSender(allow_private=True, timeout_s=60)
    runner = WebhookRunner(events, sender, render=render, secret_of=secret_of, poll_s=60)
    with receiver_running() as receiver:
        async with anyio.create_task_group() as group:
            group.start_soon(runner.run)
            await poll_until(lambda: not runner.has_work)
            report(database, "job", receiver.url(), now=time.time())
            runner.wake()
            has_had_work = runner.has_work
            await poll_until(lambda: not runner.has_work)
            group.cancel_scope.cancel()
    await sender.aclose()

    assert has_had_work
    assert len(receiver.requests) == 1
