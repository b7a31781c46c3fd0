"""Batches and self-tests as messages, without processes."""

import math
from typing import Any

import numpy as np
import pytest

from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import BatchRules, CostModel
from auricle.values.errors import AudioError, Draining, PoisonJob, RateLimited, WorkerError
from auricle.values.types import ClientId, Job, JobId, ReservationRequest, Transcript
from auricle.workers.kinds.asr.messages import (
    MAX_JOB_ANSWER_BYTES,
    BatchDone,
    JobDone,
    JobFailed,
    RunBatch,
)
from auricle.workers.kinds.asr.schedule import AsrSchedule
from auricle.workers.kinds.asr.scheduler import Scheduler
from auricle.workers.kinds.asr.speed import OVERDUE_FACTOR, SLOWEST_MARGIN, Speed, Workers
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.process.usage import SUSPENDED
from auricle.workers.schedule import Down
from auricle.workers.wire.messages import MAX_START_ANSWER_BYTES, WorkerReady

pytestmark = pytest.mark.unit

SELF_TEST_S = 30.0
START_BUDGET_S = 60.0
MAX_PAUSE_S = 7.0
CRASH = Death("exited", "SIGSEGV", "SIGSEGV a.py:1 f")


def new_schedule(
    *, batch: int = 1, languages: frozenset[str] = frozenset({"de", "fr"}), **queue: float
) -> AsrSchedule:
    workers = Workers(1)
    workers.ready = 1
    scheduler = Scheduler(
        QueueSettings.model_validate(queue),
        batches=BatchRules(batch),
        workers=workers,
        speed=Speed(10.0, 1.0, workers, CostModel()),
    )
    return AsrSchedule(
        scheduler,
        languages,
        self_test_s=SELF_TEST_S,
        start_budget_s=START_BUDGET_S,
        max_pause_s=MAX_PAUSE_S,
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


def test_a_batch_is_sent_with_its_limits() -> None:
    schedule = new_schedule(batch=2)
    schedule.scheduler.speed.observe(2.0)
    for name in ("a", "b"):
        schedule.submit(job(name), 0.0)
    assignment = schedule.next_work("w", 0.0)
    assert assignment is not None
    load_s = 2 * (1.0 + CostModel().job_overhead_s)
    assert assignment == Assignment(
        assignment.work,
        MAX_START_ANSWER_BYTES + 2 * MAX_JOB_ANSWER_BYTES,
        budget_s=SLOWEST_MARGIN * 2.0 * load_s,
        overdue_s=OVERDUE_FACTOR * 2.0 * load_s,
        max_pause_s=MAX_PAUSE_S,
    )


def test_a_job_that_fails_has_an_error() -> None:
    schedule = new_schedule()
    schedule.submit(job("a"), 0.0)
    given(schedule)
    schedule.done("w", BatchDone((JobFailed("a", "bad_audio"),), 0.0), 1.0)
    assert isinstance(outcome(schedule), AudioError)
    assert (schedule.counters.failed, schedule.counters.done) == (1, 0)


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


def test_a_self_test_has_the_limits_of_a_job_of_its_length() -> None:
    schedule = new_schedule()
    schedule.worker_ready("w", WorkerReady(1, 1), 0.0)
    schedule.scheduler.speed.observe(2.0)
    assignment = schedule.next_work("w", SELF_TEST_S)
    assert assignment is not None
    load_s = 1.0 + CostModel().job_overhead_s
    assert (assignment.budget_s, assignment.overdue_s) == (
        SLOWEST_MARGIN * 2.0 * load_s,
        OVERDUE_FACTOR * 2.0 * load_s,
    )


def test_a_self_test_is_one_cheap_job_of_faint_noise_in_english_if_the_model_knows_it() -> None:
    schedule = new_schedule(languages=frozenset({"de", "en", "zh"}))
    schedule.worker_ready("w", WorkerReady(1, 1), 0.0)
    (test,) = given(schedule, SELF_TEST_S).jobs
    assert (test.options.language, test.options.beam_size) == ("en", 1)
    assert 0 < np.abs(np.frombuffer(test.pcm, np.int16)).max() < 300


@pytest.mark.parametrize(
    ("warm_up_s", "is_plausible"),
    [(0.0, False), (0.5, True), (START_BUDGET_S, True), (START_BUDGET_S + 0.1, False)],
)
def test_the_warm_up_is_the_first_measurement_of_the_speed(
    warm_up_s: float, is_plausible: bool
) -> None:
    schedule = new_schedule()
    speed = schedule.scheduler.speed
    schedule.worker_ready("w", WorkerReady(1, 1, warm_up_s=warm_up_s), 0.0)
    assert speed.is_measured == is_plausible
    if is_plausible:
        measured = warm_up_s / CostModel().job_overhead_s
        assert speed.seconds_per_load == measured
        schedule.worker_ready("v", WorkerReady(1, 1, warm_up_s=2 * warm_up_s), 1.0)
        assert speed.seconds_per_load == measured


def test_a_job_alone_on_a_worker_is_the_suspect_and_is_tried_again() -> None:
    schedule = new_schedule()
    ticket = schedule.submit(job("a"), 0.0)
    assert schedule.suspect("w") is None
    given(schedule)
    assert schedule.suspect("w") is ticket
    schedule.worker_died("w", CRASH, 1.0)
    assert schedule.suspect("w") is None
    assert schedule.counters.retried == 1


def test_audio_that_crashes_workers_in_one_place_is_quarantined_and_charged_to_its_client() -> None:
    schedule = new_schedule(max_crashes_per_key=1)
    schedule.submit(job("a", client=ClientId("a")), 0.0)
    for now in (1.0, 2.0):
        given(schedule, now)
        schedule.worker_died("w", CRASH, now)
    assert isinstance(outcome(schedule), PoisonJob)
    request = ReservationRequest(ClientId("a"), 10.0, None)
    with pytest.raises(RateLimited):
        schedule.reserve(request, 3.0)
    schedule.reserve(request, 1e6)


def test_the_job_of_a_worker_that_was_suspended_from_outside_is_not_suspected() -> None:
    schedule = new_schedule()
    schedule.submit(job("a"), 0.0)
    for now in (1.0, 2.0, 3.0):
        given(schedule, now)
        schedule.worker_died("w", Death(SUSPENDED, None, "SIGSTOP a.py:1 f"), now)
    assert not schedule.outcomes
    assert schedule.counters.retried == 3


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
