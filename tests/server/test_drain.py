import pytest

from auricle.server.drain import Drain, DrainStep

pytestmark = pytest.mark.unit


def test_a_server_without_work_leaves_at_once() -> None:
    drain = Drain(20, now=100)
    assert drain.next_step(100, has_work=False, is_forced=False) is DrainStep.GIVE_UP
    drain.gave_up()
    assert drain.next_step(100, has_work=False, is_forced=False) is DrainStep.LEAVE


def test_work_is_waited_for_until_the_time_is_over() -> None:
    drain = Drain(20, now=100)
    assert drain.next_step(119.9, has_work=True, is_forced=False) is DrainStep.WAIT
    assert drain.next_step(120, has_work=True, is_forced=False) is DrainStep.GIVE_UP


def test_a_second_signal_waits_for_nothing() -> None:
    drain = Drain(20, now=100)
    assert drain.next_step(101, has_work=True, is_forced=True) is DrainStep.GIVE_UP
    drain.gave_up()
    assert drain.next_step(101, has_work=True, is_forced=True) is DrainStep.LEAVE
