"""Who waits longest is let in first; time is a number."""

import pytest

from auricle.server.live.admission.line import (
    DEFAULT_RETRY_S,
    GRACE_S,
    MAX_AHEAD,
    MAX_RETRY_S,
    MAX_WAITING,
    TURNOVER_S,
    Waiter,
    WaitingLine,
)

pytestmark = pytest.mark.unit

A, B, C, NEW = (Waiter(origin) for origin in ("a", "b", "c", "new"))


def test_who_was_refused_first_is_first_whenever_it_tries_again() -> None:
    line = WaitingLine()
    for at, waiter in enumerate([A, B, C]):
        line.refused(waiter, at)
    line.refused(A, 4)
    assert [line.ahead_of(waiter, 5) for waiter in [A, B, C]] == [0, 1, 2]
    assert line.ahead_of(NEW, 5) == 3
    assert len(line) == 3


def test_of_two_who_were_refused_at_once_none_waits_for_the_other() -> None:
    line = WaitingLine()
    line.refused(A, 0)
    line.refused(B, 0)
    assert [line.ahead_of(waiter, 1) for waiter in (A, B)] == [0, 0]


def test_who_was_admitted_waits_no_longer() -> None:
    line = WaitingLine()
    line.refused(A, 0)
    line.refused(B, 1)
    line.admitted(A)
    line.admitted(Waiter("unknown"))
    assert line.ahead_of(B, 2) == 0
    assert len(line) == 1


def test_who_was_admitted_may_wait_again_later() -> None:
    line = WaitingLine()
    line.refused(A, 0)
    line.admitted(A)
    later = 2 * (DEFAULT_RETRY_S + GRACE_S)
    line.refused(A, later)
    assert line.ahead_of(B, later + 1) == 1


def test_who_does_not_come_back_loses_the_position() -> None:
    line = WaitingLine()
    retry_s = line.refused(A, 0)
    assert retry_s == DEFAULT_RETRY_S
    line.refused(B, 1)
    assert line.ahead_of(B, retry_s + GRACE_S) == 1
    assert line.ahead_of(B, retry_s + GRACE_S + 0.1) == 0
    assert line.ahead_of(A, retry_s + GRACE_S + 0.1) == 1


def test_who_comes_back_late_waits_as_a_new_client() -> None:
    line = WaitingLine()
    late = line.refused(A, 0) + GRACE_S + 1
    line.refused(A, late)
    line.refused(B, late + 1)
    assert [line.ahead_of(waiter, late + 2) for waiter in [A, B]] == [0, 1]


def test_those_who_do_not_come_back_are_forgotten() -> None:
    line = WaitingLine()
    line.refused(A, 0)
    line.forget_late(DEFAULT_RETRY_S + GRACE_S)
    assert len(line) == 1
    line.forget_late(DEFAULT_RETRY_S + GRACE_S + 0.1)
    assert len(line) == 0


def test_the_line_is_bounded() -> None:
    line = WaitingLine()
    for number in range(MAX_WAITING + 10):
        line.refused(Waiter(number), number / 1000)
    assert len(line) == MAX_WAITING
    assert line.ahead_of(Waiter(10), 1.1) == 0
    assert line.ahead_of(Waiter(11), 1.1) == 1


def test_many_ids_of_one_origin_keep_others_waiting_for_a_few_only() -> None:
    line = WaitingLine()
    for number in range(100):
        line.refused(Waiter("many", str(number)), number / 1000)
    line.refused(A, 1)
    assert line.ahead_of(A, 2) == MAX_AHEAD
    assert line.ahead_of(Waiter("many", "99"), 2) == 99


def test_many_ids_of_one_origin_take_nobodys_position() -> None:
    line = WaitingLine()
    line.refused(A, 0)
    for number in range(MAX_WAITING + 10):
        line.refused(Waiter("many", str(number)), 1)
    assert len(line) == MAX_WAITING
    assert line.ahead_of(A, 2) == 0
    assert line.ahead_of(B, 2) == 1 + MAX_AHEAD


def test_the_retry_time_is_when_a_place_will_be_free_by_the_latest_departures() -> None:
    line = WaitingLine()
    for at in range(0, 60, 10):
        line.departed(at)
    assert line.refused(A, 60) == pytest.approx(10)
    assert line.refused(B, 61) == pytest.approx(2 * 61 / 6)
    for number in range(20):
        line.refused(Waiter(number), 62)
    assert line.refused(Waiter("late"), 63) == MAX_RETRY_S


def test_the_retry_time_is_at_least_a_second_and_old_departures_do_not_count() -> None:
    line = WaitingLine()
    for _ in range(100):
        line.departed(0)
    assert line.refused(A, 1) == 1
    assert line.refused(A, TURNOVER_S + 1) == DEFAULT_RETRY_S


def test_a_departure_counts_for_two_minutes_and_as_a_second_if_it_was_just_now() -> None:
    line = WaitingLine()
    line.departed(0)
    assert line.refused(A, 0.5) == 1
    assert line.refused(A, TURNOVER_S) == MAX_RETRY_S
    assert line.refused(A, TURNOVER_S + 0.1) == DEFAULT_RETRY_S
