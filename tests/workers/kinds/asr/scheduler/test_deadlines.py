"""Attempts, deadlines and cancelled jobs."""

import math
from dataclasses import replace

import pytest

from auricle.values.errors import AuricleError, DeadlineExceeded
from tests.workers.kinds.asr.scheduler.helpers import failures, job, scheduler

pytestmark = pytest.mark.unit


def test_a_second_attempt_has_twice_the_budget() -> None:
    it = scheduler()
    it.submit(job("a"), 0.0)
    first = it.next_batch("w1", 0.0)
    it.worker_died("w1", None, 1.0)
    second = it.next_batch("w1", 1.0)
    assert first is not None
    assert second is not None
    assert second.budget_s == 2 * first.budget_s


def test_a_batch_has_the_times_of_all_its_jobs() -> None:
    it = scheduler()
    tickets = [it.submit(job(name, 20.0), 0.0) for name in "ab"]
    it.speed.observe(1.0)
    batch = it.next_batch("w1", 0.0)
    assert batch is not None
    assert batch.budget_s == it.speed.budget_s([replace(each, attempts=0) for each in tickets])
    assert batch.overdue_s == it.speed.overdue_s(tickets) == 2 * (40.0 + 2 * 5.0)


def test_deadlines_pass_for_waiting_and_running_jobs() -> None:
    it = scheduler(batch=1)
    it.submit(job("running", max_wait_s=5.0), 0.0)
    it.next_batch("w1", 0.0)
    it.submit(job("waiting", max_wait_s=6.0), 0.0)
    assert it.wake_at == 5.0
    it.poll(5.0)
    assert failures(it) == [("running", DeadlineExceeded)]
    it.poll(6.0)
    assert failures(it) == [("waiting", DeadlineExceeded)]
    assert it.wake_at == math.inf
    (ticket,) = it.batch_done("w1", 7.0).tickets
    assert not it.settle(ticket)


def test_a_job_that_has_not_started_in_time_fails_and_one_that_runs_goes_on() -> None:
    it = scheduler(size=1, batch=1)
    running = it.submit(job("running", max_start_s=5.0), 0.0)
    it.next_batch("w1", 4.9)
    it.submit(job("waiting", max_start_s=3.0), 4.0)
    assert it.wake_at == 7.0
    it.poll(6.9)
    assert failures(it) == []
    it.poll(7.0)
    assert failures(it) == [("waiting", DeadlineExceeded)]
    assert it.wake_at == math.inf
    assert it.batch_done("w1", 60.0).tickets == (running,)
    assert it.settle(running)
    assert it.next_batch("w1", 60.0) is None


def test_a_job_whose_worker_died_must_start_again_in_time() -> None:
    it = scheduler(size=2)
    for name in ("a", "b"):
        it.submit(job(name, max_start_s=5.0), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", None, 4.0)
    assert it.wake_at == 5.0
    it.next_batch("w2", 4.5)
    it.poll(5.0)
    assert failures(it) == [("b", DeadlineExceeded)]


@pytest.mark.parametrize(("max_wait_s", "max_start_s"), [(5.0, 9.0), (9.0, 5.0)])
def test_the_earlier_of_both_deadlines_counts_for_a_waiting_job(
    max_wait_s: float, max_start_s: float
) -> None:
    it = scheduler()
    it.submit(job("a", max_wait_s=max_wait_s, max_start_s=max_start_s), 1.0)
    assert it.wake_at == 6.0
    it.poll(6.0)
    assert failures(it) == [("a", DeadlineExceeded)]


def test_a_missed_deadline_reports_when_the_queue_will_be_done() -> None:
    it = scheduler(size=1, batch=1)
    it.submit(job("running", 100.0), 0.0)
    it.next_batch("w1", 0.0)
    it.submit(job("late", max_wait_s=60.0), 0.0)
    it.poll(60.0)
    failure = it.next_failure()
    assert failure is not None
    assert failure.error.retry_after_s == it.admission.retry_after_s() > 10


def test_a_waiting_job_vanishes_with_its_caller() -> None:
    it = scheduler()
    it.cancel(it.submit(job("a"), 0.0))
    assert it.next_batch("w1", 0.0) is None


def test_draining_fails_everything_once() -> None:
    it = scheduler(batch=1)
    it.submit(job("a"), 0.0)
    it.next_batch("w1", 0.0)
    it.submit(job("b"), 0.0)
    it.drain(lambda: AuricleError("over"))
    assert sorted(failures(it)) == [("a", AuricleError), ("b", AuricleError)]
