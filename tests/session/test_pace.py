"""Files are distinguished from live speech."""

import pytest

from auricle.session.pace import AHEAD_S, CREDIT_S, EASE, MAX_LEAD_S, Pace

pytestmark = pytest.mark.unit

SECOND = 16_000


def test_real_time_is_never_ahead() -> None:
    pace = Pace(now=0.0)
    for step in range(1, 1000):
        pace.receive(SECOND // 50, now=step * 0.02)
        assert not pace.is_ahead(step * 0.02)


def test_more_than_five_seconds_ahead_is_a_file_until_time_has_caught_up() -> None:
    pace = Pace(now=0.0)
    pace.receive(int(AHEAD_S * SECOND), now=0.0)
    assert not pace.is_ahead(0.0)
    pace.receive(1, now=0.0)
    assert pace.is_ahead(0.0)
    assert not pace.is_ahead(0.5)


def test_audio_that_was_held_up_by_the_network_may_catch_up() -> None:
    pace = Pace(now=0.0)
    pace.receive(10 * SECOND, now=30.0)
    pace.receive(20 * SECOND, now=30.0)
    assert not pace.is_ahead(30.0)


def test_waiting_earns_no_more_than_a_minute() -> None:
    pace = Pace(now=0.0)
    pace.receive(int((CREDIT_S + AHEAD_S + 1) * SECOND), now=3600.0)
    assert pace.is_ahead(3600.0)


def test_a_session_in_the_place_of_a_forgotten_one_may_begin_with_what_was_kept() -> None:
    pace = Pace(now=0.0, credit_s=40.0)
    pace.receive(40 * SECOND, now=0.0)
    assert not pace.is_ahead(0.0)


def test_a_clock_that_stands_still_is_fine() -> None:
    pace = Pace(now=5.0)
    pace.receive(SECOND, now=5.0)
    pace.receive(SECOND, now=4.9)
    assert not pace.is_ahead(4.8)


def test_a_long_backlog_is_a_file_until_it_has_caught_up_and_live_soon_after() -> None:
    pace = Pace(now=0.0, credit_s=55.0)
    pace.receive(600 * SECOND, now=0.0)
    assert pace.is_ahead(0.0)
    now, live_after_s = 0.0, (MAX_LEAD_S - AHEAD_S) / EASE
    while pace.is_ahead(now):
        now += 0.1
        pace.receive(SECOND // 10, now)
        assert now < live_after_s + 1
    for _ in range(600):  # and it stays so
        now += 0.1
        pace.receive(SECOND // 10, now)
        assert not pace.is_ahead(now)


def test_a_file_that_keeps_coming_fast_stays_one() -> None:
    pace = Pace(now=0.0)
    pace.receive(20 * SECOND, now=0.0)
    for step in range(1, 200):
        pace.receive(2 * SECOND, now=float(step))
        assert pace.is_ahead(float(step))


def test_a_client_that_was_ahead_stays_so_while_the_server_does_not_read() -> None:
    pace = Pace(now=0.0)
    pace.receive(60 * SECOND, now=0.0)
    pace.rest(now=100.0)
    assert pace.is_ahead(100.0)
    pace.rest(now=99.0)
    assert not pace.is_ahead(104.0)


def test_a_live_stream_that_is_not_read_may_catch_up() -> None:
    pace = Pace(now=0.0)
    pace.receive(1 * SECOND, now=0.0)
    pace.rest(now=30.0)
    pace.receive(30 * SECOND, now=30.0)
    assert not pace.is_ahead(30.0)
