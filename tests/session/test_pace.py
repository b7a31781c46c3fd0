"""Files that are piped in, told from live speech."""

import pytest

from auricle.session.pace import AHEAD_S, CREDIT_S, Pace

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
