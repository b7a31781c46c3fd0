import random
from collections import Counter

import pytest

from tests.resilience.chaos.faults import FAULTS, schedule

pytestmark = pytest.mark.unit


def test_a_seed_gives_the_same_faults_at_the_same_times_again() -> None:
    first, again, other = (schedule(random.Random(seed), 600, 1.1) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_ten_minutes_hold_more_than_500_faults_in_their_order() -> None:
    schedule_ = schedule(random.Random(1), 600, 1.1)
    assert len(schedule_) > 500
    times = [scheduled.at_s for scheduled in schedule_]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < 600


def test_each_class_comes_as_often_as_its_weight() -> None:
    rounds = 3
    count = rounds * sum(fault.weight for fault in FAULTS)
    schedule_ = schedule(random.Random(2), count, 1.0)
    found = Counter(scheduled.fault.name for scheduled in schedule_)
    assert found == {fault.name: rounds * fault.weight for fault in FAULTS}


def test_only_those_that_can_be_tried_come() -> None:
    some = {fault: 1 for fault in FAULTS if fault.kills}
    schedule_ = schedule(random.Random(3), 60, 5.0, some)
    assert {scheduled.fault for scheduled in schedule_} == set(some)
