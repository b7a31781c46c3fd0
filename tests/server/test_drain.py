import pytest

from auricle.server.drain import LOST_NOTICE_S, Drain, DrainStep

pytestmark = pytest.mark.unit


def test_a_server_without_work_leaves_at_once() -> None:
    drain = Drain(20, now=100)
    assert drain.next_step(100, has_work=False, is_hurried=False) is DrainStep.GIVE_UP
    drain.gave_up(100, lost_jobs=0)
    assert drain.next_step(100, has_work=False, is_hurried=False) is DrainStep.LEAVE


def test_work_is_waited_for_until_the_time_is_over() -> None:
    drain = Drain(20, now=100)
    assert drain.next_step(119.9, has_work=True, is_hurried=False) is DrainStep.WAIT
    assert drain.next_step(120, has_work=True, is_hurried=False) is DrainStep.GIVE_UP


def test_lost_jobs_are_shown_for_longer_than_a_scrape_takes() -> None:
    drain = Drain(20, now=100)
    drain.gave_up(120, lost_jobs=1)
    assert drain.next_step(135.9, has_work=False, is_hurried=False) is DrainStep.WAIT
    leaves_at = 120 + LOST_NOTICE_S
    assert drain.next_step(leaves_at, has_work=True, is_hurried=False) is DrainStep.LEAVE


def test_a_short_drain_has_a_short_notice() -> None:
    drain = Drain(0, now=100)
    drain.gave_up(100, lost_jobs=1)
    assert drain.next_step(100, has_work=False, is_hurried=False) is DrainStep.LEAVE


def test_a_second_signal_waits_for_nothing() -> None:
    drain = Drain(20, now=100)
    assert drain.next_step(101, has_work=True, is_hurried=True) is DrainStep.GIVE_UP
    drain.gave_up(101, lost_jobs=1)
    assert drain.next_step(101, has_work=True, is_hurried=True) is DrainStep.LEAVE
