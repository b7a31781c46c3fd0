"""The order of turns and their deadlines, without processes."""

import math
from typing import Any

import numpy as np
import pytest

from auricle.values.errors import TurnsUnavailable
from auricle.values.transcriber import QueueStats
from auricle.values.types import JobId, TurnJob
from auricle.workers.kinds.turns.messages import JudgeTurn, TurnJudged
from auricle.workers.kinds.turns.schedule import MAX_WAITING, TurnSchedule
from auricle.workers.process.assignment import Death
from auricle.workers.schedule import Down

pytestmark = pytest.mark.unit


def job(first: int = 0, max_wait_s: float = 5.0) -> TurnJob:
    return TurnJob(JobId("j"), np.arange(first, first + 100).astype(np.int16), max_wait_s)


def outcomes(schedule: TurnSchedule) -> list[Any]:
    ended = list(schedule.outcomes)
    schedule.outcomes.clear()
    return [
        (ticket, str(end) if isinstance(end, TurnsUnavailable) else end) for ticket, end in ended
    ]


def test_jobs_are_done_in_their_order() -> None:
    schedule = TurnSchedule(60.0)
    tickets = [schedule.submit(job(first), 0.0) for first in (10, 20, 30)]
    assert schedule.queue() == QueueStats(3, 0)
    for first, worker in ((10, "a"), (20, "b")):
        assignment = schedule.next_work(worker, 0.0)
        assert assignment is not None
        assert isinstance(assignment.work, JudgeTurn)
        assert np.frombuffer(assignment.work.pcm, "<i2")[0] == first
        assert (assignment.budget_s, assignment.overdue_s) == (60.0, 18.0)
    schedule.done("b", TurnJudged(0.75), 1.0)
    schedule.done("a", TurnJudged(0.25), 1.0)
    assert outcomes(schedule) == [(tickets[1], 0.75), (tickets[0], 0.25)]
    assert (schedule.counters.done, schedule.queue()) == (2, QueueStats(1, 0))


def test_too_many_jobs_are_refused() -> None:
    schedule = TurnSchedule(60.0)
    for _ in range(MAX_WAITING):
        schedule.submit(job(), 0.0)
    with pytest.raises(TurnsUnavailable, match="too many"):
        schedule.submit(job(), 0.0)
    assert schedule.counters.refused == 1


@pytest.mark.parametrize("is_running", [False, True])
def test_a_deadline_ends_a_job_wherever_it_is(is_running: bool) -> None:
    schedule = TurnSchedule(60.0)
    ticket = schedule.submit(job(max_wait_s=5.0), 10.0)
    if is_running:
        assert schedule.next_work("w", 10.0) is not None
    assert schedule.poll(14.9) == 15.0
    assert schedule.poll(15.0) == math.inf
    assert outcomes(schedule) == [(ticket, "the deadline has passed")]
    if is_running:
        schedule.done("w", TurnJudged(0.5), 16.0)
    assert schedule.next_work("w", 16.0) is None
    assert (schedule.counters.done, schedule.counters.failed) == (0, 1)


def test_the_job_of_a_worker_that_died_fails_and_the_others_wait() -> None:
    schedule = TurnSchedule(60.0)
    ticket = schedule.submit(job(), 0.0)
    schedule.submit(job(), 0.0)
    schedule.next_work("w", 0.0)
    schedule.worker_died("w", Death("exited", "SIGKILL"), 1.0)
    assert outcomes(schedule) == [(ticket, "the worker has died")]
    assert schedule.queue() == QueueStats(1, 0)


@pytest.mark.parametrize("ready", [0, 1])
def test_jobs_do_not_wait_for_workers_that_cannot_start(ready: int) -> None:
    schedule = TurnSchedule(60.0)
    schedule.ready_workers = ready
    ticket = schedule.submit(job(), 0.0)
    schedule.worker_died("w", Death("start"), 1.0)
    assert outcomes(schedule) == [] if ready else [(ticket, "turn workers cannot start")]


def test_a_cancelled_job_is_forgotten() -> None:
    schedule = TurnSchedule(60.0)
    running, waiting = schedule.submit(job(), 0.0), schedule.submit(job(), 0.0)
    schedule.next_work("w", 0.0)
    schedule.cancel(running)
    schedule.cancel(waiting)
    schedule.fail_all(Down.CLOSED)
    assert (schedule.counters.failed, schedule.queue()) == (0, QueueStats(0, 1))


@pytest.mark.parametrize("down", Down)
def test_all_jobs_fail_and_new_ones_are_refused(down: Down) -> None:
    schedule = TurnSchedule(60.0)
    tickets = [schedule.submit(job(), 0.0) for _ in range(2)]
    schedule.next_work("w", 0.0)
    schedule.fail_all(down)
    reason = str(schedule.refusal(down))
    assert sorted(outcomes(schedule), key=lambda each: tickets.index(each[0])) == [
        (ticket, reason) for ticket in tickets
    ]
    assert (schedule.counters.failed, schedule.counters.refused) == (2, 1)
