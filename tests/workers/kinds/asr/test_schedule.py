"""Batches and self-tests as messages, without processes."""

import math
from typing import Any

import numpy as np
import pytest

from auricle.config.settings import QueueSettings
from auricle.engines.base import BatchRules, CostModel
from auricle.values.errors import AudioError, Draining, WorkerError
from auricle.values.types import ClientId, Job, JobId, ReservationRequest, Transcript
from auricle.workers.kinds.asr.messages import BatchDone, JobDone, JobFailed, RunBatch
from auricle.workers.kinds.asr.schedule import AsrSchedule
from auricle.workers.kinds.asr.scheduler import Scheduler
from auricle.workers.kinds.asr.speed import Speed, Workers
from auricle.workers.process.assignment import Death
from auricle.workers.process.messages import WorkerReady
from auricle.workers.schedule import Down

pytestmark = pytest.mark.unit

SELF_TEST_S = 30.0
CRASH = Death("exited", "SIGSEGV", "SIGSEGV a.py:1 f")


def new_schedule() -> AsrSchedule:
    workers = Workers(1)
    workers.ready = 1
    scheduler = Scheduler(
        QueueSettings(),
        batches=BatchRules(1),
        workers=workers,
        speed=Speed(10.0, 1.0, workers, CostModel()),
    )
    return AsrSchedule(
        scheduler,
        frozenset({"de", "fr"}),
        self_test_s=SELF_TEST_S,
        start_budget_s=60.0,
        max_pause_s=math.inf,
    )


def job(name: str, **fields: Any) -> Job:
    return Job(JobId(name), np.full(16_000, len(name), np.int16), utterance=name, **fields)


def given(schedule: AsrSchedule, now: float = 0.0) -> RunBatch:
    assignment = schedule.next_work("w", now)
    assert assignment is not None
    assert isinstance(assignment.work, RunBatch)
    return assignment.work


def done(*jobs: str) -> BatchDone:
    return BatchDone(tuple(JobDone(job, Transcript("", "de", 1.0, 16_000)) for job in jobs), 0.0)


def outcome(schedule: AsrSchedule) -> Any:
    (_, end) = schedule.outcomes.popleft()
    return end


def test_the_results_of_a_batch_are_outcomes() -> None:
    schedule = new_schedule()
    schedule.submit(job("a"), 0.0)
    assert [message.id for message in given(schedule).jobs] == ["a"]
    with pytest.raises(WorkerError):
        schedule.done("w", done("b"), 1.0)
    schedule.done("w", done("a"), 1.0)
    assert isinstance(outcome(schedule), Transcript)
    assert schedule.counters.done == 1


def test_a_job_that_fails_has_an_error() -> None:
    schedule = new_schedule()
    schedule.submit(job("a"), 0.0)
    given(schedule)
    schedule.done("w", BatchDone((JobFailed("a", "bad_audio"),), 0.0), 1.0)
    assert isinstance(outcome(schedule), AudioError)


def test_the_result_of_a_cancelled_job_is_dropped() -> None:
    schedule = new_schedule()
    ticket = schedule.submit(job("a"), 0.0)
    given(schedule)
    schedule.cancel(ticket)
    schedule.done("w", done("a"), 1.0)
    assert not schedule.outcomes


def test_a_worker_that_was_idle_for_a_long_time_gets_a_self_test() -> None:
    schedule = new_schedule()
    schedule.worker_ready("w", WorkerReady(1, 1), 10.0)
    assert schedule.next_work("w", 10.0 + SELF_TEST_S - 0.1) is None
    (test,) = given(schedule, 10.0 + SELF_TEST_S).jobs
    assert (test.id, test.options.language) == ("self-test", "de")
    assert schedule.suspect("w") is None
    with pytest.raises(WorkerError):
        schedule.done("w", done("a"), 41.0)
    schedule.done("w", done("self-test"), 41.0)
    assert not schedule.outcomes
    assert schedule.next_work("w", 41.0 + SELF_TEST_S - 0.1) is None
    schedule.worker_died("w", CRASH, 42.0)
    assert schedule.next_work("w", 500.0) is None


def test_the_warm_up_is_the_first_measurement_of_the_speed() -> None:
    schedule = new_schedule()
    schedule.worker_ready("w", WorkerReady(1, 1, warm_up_s=0.5), 0.0)
    assert schedule.scheduler.speed.is_measured


def test_a_job_alone_on_a_worker_is_the_suspect_and_is_tried_again() -> None:
    schedule = new_schedule()
    ticket = schedule.submit(job("a"), 0.0)
    assert schedule.suspect("w") is None
    given(schedule)
    assert schedule.suspect("w") is ticket
    schedule.worker_died("w", CRASH, 1.0)
    assert schedule.suspect("w") is None
    assert schedule.counters.retried == 1


def test_a_deadline_that_passed_is_an_outcome() -> None:
    schedule = new_schedule()
    schedule.submit(job("a", max_wait_s=5.0), 10.0)
    assert schedule.poll(14.0) == 15.0
    assert schedule.poll(15.0) == math.inf
    assert outcome(schedule).code == "deadline_exceeded"


def test_all_jobs_fail() -> None:
    for down, error in ((Down.CLOSED, Draining), (Down.ENDED, WorkerError)):
        schedule = new_schedule()
        schedule.submit(job("a"), 0.0)
        schedule.fail_all(down)
        assert isinstance(outcome(schedule), error)


def test_a_reservation_is_kept_until_it_is_used() -> None:
    schedule = new_schedule()
    assert schedule.reserve(ReservationRequest(ClientId("a"), 10.0, None), 0.0)
    assert schedule.queue().reserved_audio_s == 10.0
