"""Who waits longest is let in first; time is a number."""

import pytest

from auricle.server.live.admission.line import (
    DEFAULT_RETRY_S,
    GRACE_S,
    MAX_RETRY_S,
    MAX_WAITING,
    TURNOVER_S,
    WaitingLine,
)

pytestmark = pytest.mark.unit


def test_who_was_refused_first_is_first_whenever_it_tries_again() -> None:
    line = WaitingLine()
    for at, waiter in enumerate("abc"):
        line.refused(waiter, at)
    line.refused("a", 4)
    assert [line.ahead_of(waiter, 5) for waiter in "abc"] == [0, 1, 2]
    assert line.ahead_of("new", 5) == 3
    assert len(line) == 3


def test_who_was_admitted_waits_no_longer() -> None:
    line = WaitingLine()
    line.refused("a", 0)
    line.refused("b", 1)
    line.admitted("a")
    line.admitted("unknown")
    assert line.ahead_of("b", 2) == 0
    assert len(line) == 1


def test_who_does_not_come_back_loses_the_position() -> None:
    line = WaitingLine()
    retry_s = line.refused("a", 0)
    assert retry_s == DEFAULT_RETRY_S
    line.refused("b", 1)
    assert line.ahead_of("b", retry_s + GRACE_S) == 1
    assert line.ahead_of("b", retry_s + GRACE_S + 0.1) == 0
    assert line.ahead_of("a", retry_s + GRACE_S + 0.1) == 1


def test_those_who_do_not_come_back_are_forgotten() -> None:
    line = WaitingLine()
    line.refused("a", 0)
    line.forget_late(DEFAULT_RETRY_S + GRACE_S)
    assert len(line) == 1
    line.forget_late(DEFAULT_RETRY_S + GRACE_S + 0.1)
    assert len(line) == 0


def test_the_line_is_bounded() -> None:
    line = WaitingLine()
    for number in range(MAX_WAITING + 10):
        line.refused(number, number / 1000)
    assert len(line) == MAX_WAITING
    assert line.ahead_of(10, 1.1) == 0
    assert line.ahead_of(11, 1.1) == 1


def test_the_retry_time_is_when_a_place_will_be_free_by_the_latest_departures() -> None:
    line = WaitingLine()
    for at in range(0, 60, 10):
        line.departed(at)
    assert line.refused("a", 60) == pytest.approx(10)
    assert line.refused("b", 61) == pytest.approx(2 * 61 / 6)
    for number in range(20):
        line.refused(number, 62)
    assert line.refused("late", 63) == MAX_RETRY_S


def test_the_retry_time_is_at_least_a_second_and_old_departures_do_not_count() -> None:
    line = WaitingLine()
    for _ in range(100):
        line.departed(0)
    assert line.refused("a", 1) == 1
    assert line.refused("a", TURNOVER_S + 1) == DEFAULT_RETRY_S
