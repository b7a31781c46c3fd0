"""What is measured of the workers, and what follows from it."""

import numpy as np
import pytest

from auricle.engines.base import CostModel
from auricle.values.types import Job, JobId
from auricle.workers.kinds.asr.backlog import Ticket
from auricle.workers.kinds.asr.speed import (
    OVERDUE_FLOOR_S,
    SPEED_WINDOW,
    Speed,
    Workers,
    whole_seconds,
)

pytestmark = pytest.mark.unit

COSTS = CostModel()


def speed(ready: int = 1, costs: CostModel = COSTS) -> Speed:
    return Speed(10, 8, Workers(4, ready=ready), costs)


def ticket(seconds: float, attempts: int = 0) -> Ticket:
    job = Job(JobId("j"), np.ones(int(16_000 * seconds), np.int16))
    return Ticket(job, 0, 0, attempts=attempts)


def test_the_speed_is_the_mean_of_the_latest_batches() -> None:
    it = speed()
    assert (it.is_measured, it.seconds_per_load) == (False, COSTS.first_seconds_per_load)
    for n in range(1, SPEED_WINDOW + 1):
        it.observe(10.0 + n % 2)
        assert it.is_measured
    assert it.seconds_per_load == pytest.approx(10.5)
    for _ in range(SPEED_WINDOW):
        it.observe(30.0)
    assert it.seconds_per_load == pytest.approx(30.0)


def test_a_few_batches_that_took_very_long_do_not_make_the_workers_slow() -> None:
    it = speed()
    for n in range(200):
        it.observe(0.9 if n % 20 == 10 else 0.03)  # one in twenty: thirty times as long
        assert it.seconds_per_load < 1.2 * 0.03
    for _ in range(6):  # and some in a row
        it.observe(0.9)
    assert it.seconds_per_load < 1.5 * 0.03


def test_a_machine_that_has_become_slower_is_known_to_be_after_half_of_a_window() -> None:
    it = speed()
    for _ in range(SPEED_WINDOW):
        it.observe(0.03)
    for _ in range(SPEED_WINDOW // 2 + 1):
        it.observe(0.3)
    assert it.seconds_per_load > 0.15


def test_a_wait_is_shared_by_the_workers_that_are_ready() -> None:
    it = speed(ready=4)
    it.observe(0.5)
    assert it.wait_s(80) == 10.0
    assert it.retry_after_s(81) == 11
    assert speed(ready=0).wait_s(10) == pytest.approx(3.0)


def test_a_budget_is_many_times_the_usual_time_but_never_very_short() -> None:
    it = speed()
    it.observe(0.5)
    assert it.budget_s([ticket(5), ticket(15)]) == 8 * 0.5 * (20 + 2 * COSTS.job_overhead_s)
    it.observe(0.0)
    it.observe(0.0)
    assert it.budget_s([ticket(0.5)]) == 10.0


def test_each_earlier_attempt_of_one_of_them_doubles_the_budget() -> None:
    it = speed()
    assert it.budget_s([ticket(0.5), ticket(0.5, attempts=3)]) == 8 * it.budget_s([ticket(0.5)] * 2)


def test_a_wait_is_reported_in_whole_seconds_from_one_to_sixty() -> None:
    assert [whole_seconds(wait_s) for wait_s in (0.0, 1.0, 1.1, 60.0, 61.0)] == [1, 1, 2, 60, 60]


def test_work_is_overdue_after_twice_its_usual_time_and_never_at_once() -> None:
    it = speed()
    it.observe(1.0)
    usual_s = 20.0 + COSTS.job_overhead_s
    assert it.usual_s([ticket(20.0)]) == pytest.approx(usual_s)
    assert it.overdue_s([ticket(20.0)]) == pytest.approx(2 * usual_s)
    assert it.overdue_s([ticket(20.0, attempts=3)]) == pytest.approx(2 * usual_s)
    assert it.overdue_s([ticket(20.0), ticket(20.0)]) == pytest.approx(4 * usual_s)
    quick = speed()
    quick.observe(0.001)
    assert quick.overdue_s([ticket(20.0)]) == OVERDUE_FLOOR_S


def test_a_budget_allows_for_the_slowest_job_that_the_engine_knows_of() -> None:
    it = speed(costs=CostModel(slowest_factor=40.0))
    it.observe(1.0)
    usual_s = 20.0 + COSTS.job_overhead_s
    assert it.budget_s([ticket(20.0)]) == pytest.approx(60 * usual_s)
    assert it.overdue_s([ticket(20.0)]) == pytest.approx(2 * usual_s)
    it = speed(costs=CostModel(slowest_factor=1.0))
    it.observe(1.0)
    assert it.budget_s([ticket(20.0)]) == pytest.approx(8 * usual_s)
