from dataclasses import replace

import pytest

from auricle.ledger.events import Event
from auricle.webhooks.outbox import (
    FIRST_RETRY_S,
    GIVE_UP_S,
    MAX_RETRY_S,
    SEND_S,
    Delivery,
    DeliveryState,
    end_attempt,
    interrupt_attempt,
    retry_delay_s,
    start_attempt,
)

pytestmark = pytest.mark.unit


EVENT = Event("uid.done", "job.done", "jobs/uid", "key")


def a_delivery(now: float = 0.0) -> Delivery:
    return Delivery(EVENT, "https://receiver.example", "receiver.example", now, now)


def is_due(delivery: Delivery, now: float) -> bool:
    """Return whether the next attempt may start, by the rule of ``StoredEvents.next_delivery``."""
    is_waiting = now < delivery.next_at <= now + MAX_RETRY_S
    return delivery.state is DeliveryState.PENDING and not is_waiting


def after(status: int | None, now: float = 0.0, created_at: float = 0.0) -> Delivery:
    attempt = start_attempt(a_delivery(created_at), now)
    return end_attempt(attempt, attempt, status, now)


def test_a_delivery_is_not_attempted_twice_at_once() -> None:
    attempt = start_attempt(a_delivery(), 0)

    assert not is_due(attempt, SEND_S - 1)
    assert is_due(attempt, SEND_S)  # the process that attempted it died


@pytest.mark.parametrize("status", [200, 204, 299])
def test_success_ends_a_delivery(status: int) -> None:
    assert (after(status).state, after(status).status) == (DeliveryState.DELIVERED, status)


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422, 499])
def test_a_client_error_ends_a_delivery(status: int) -> None:
    assert (after(status).state, after(status).status) == (DeliveryState.REFUSED, status)


@pytest.mark.parametrize("status", [None, 300, 302, 408, 429, 500, 503])
def test_a_passing_failure_is_tried_again(status: int | None) -> None:
    delivery = after(status)

    assert (delivery.state, delivery.status) == (DeliveryState.PENDING, status)
    assert delivery.next_at == FIRST_RETRY_S


def test_delays_double_up_to_an_hour() -> None:
    delays = [retry_delay_s(attempts) for attempts in range(1, 2000)]

    assert delays[:3] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S]
    assert delays == sorted(delays)
    assert delays[-1] == MAX_RETRY_S


def test_a_delivery_fails_after_a_day() -> None:
    for created_at in (0.0, 2 * GIVE_UP_S):
        until = created_at + GIVE_UP_S
        assert after(500, until - 1, created_at).state is DeliveryState.PENDING
        failed = after(500, until, created_at)
        assert (failed.state, failed.status) == (DeliveryState.FAILED, 500)


def test_a_late_attempt_reports_success_only() -> None:
    late = start_attempt(a_delivery(), 0)
    current = start_attempt(late, SEND_S)

    assert end_attempt(current, late, 404, SEND_S) is current
    assert end_attempt(current, late, 200, SEND_S).state is DeliveryState.DELIVERED


def test_an_interrupted_attempt_is_due_at_once_unless_another_one_began() -> None:
    attempt = start_attempt(a_delivery(), 0)

    assert is_due(interrupt_attempt(attempt, attempt, 1), 1)
    later = start_attempt(attempt, SEND_S)
    assert interrupt_attempt(later, attempt, SEND_S) is later


def test_a_delivered_event_stays_delivered() -> None:
    attempt = start_attempt(a_delivery(), 0)
    delivered = replace(attempt, state=DeliveryState.DELIVERED)

    assert end_attempt(delivered, attempt, 500, 1) is delivered


def test_after_the_clock_was_set_back_a_delivery_does_not_wait_for_the_old_time() -> None:
    delivery = replace(a_delivery(), next_at=2 * MAX_RETRY_S)

    assert is_due(delivery, 0)
