"""Streams, their workers and their order, without processes."""

from typing import Any

import numpy as np
import pytest

from auricle.values.errors import PoisonJob, Superseded
from auricle.values.transcriber import QueueStats
from auricle.values.types import ClientId, Job, JobId, JobKind, Options
from auricle.workers.kinds.partials.schedule import (
    CLOSE_AFTER_S,
    MAX_DEATHS,
    MAX_STREAMS,
    MAX_WAITING,
    PartialSchedule,
    StreamBatch,
)
from auricle.workers.process.assignment import Death
from auricle.workers.schedule import Down

pytestmark = pytest.mark.unit

DEATH = Death("exited")


def job(utterance: str, samples: int = 8000, client: str = "a", **options: Any) -> Job:
    pcm = np.arange(samples).astype(np.int16)
    id = JobId(f"{utterance}:{samples}")
    kind = JobKind.PARTIAL
    return Job(id, pcm, Options(**options), kind, ClientId(client), utterance)


def start(schedule: PartialSchedule, now: float, worker: str = "w") -> StreamBatch:
    batch = schedule.next_batch(worker, now)
    assert batch is not None
    return batch


def next_failure(schedule: PartialSchedule) -> tuple[Any, Any] | None:
    return schedule.outcomes.popleft() if schedule.outcomes else None


def finish(schedule: PartialSchedule, worker: str = "w") -> None:
    for ticket in schedule.batch_done(worker).tickets:
        schedule.settle(ticket)


def run(schedule: PartialSchedule, now: float, worker: str = "w") -> StreamBatch:
    batch = start(schedule, now, worker)
    finish(schedule, worker)
    return batch


def test_a_stream_is_opened_once_and_then_fed_the_new_audio() -> None:
    schedule = PartialSchedule(1)
    fed = []
    for now, samples in enumerate((8000, 12000, 20000)):
        schedule.submit(job("u", samples), now)
        (step,) = run(schedule, now).steps
        fed.append((step.stream, step.opens, step.pcm.size, int(step.pcm[0])))
    assert fed == [("1", True, 8000, 0), ("1", False, 4000, 8000), ("1", False, 8000, 12000)]


@pytest.mark.parametrize("changed", [{"language": "de"}, {"samples": 8000}, {"samples": 4000}])
def test_other_options_or_no_new_audio_open_the_stream_again(changed: dict[str, Any]) -> None:
    schedule = PartialSchedule(1)
    schedule.submit(job("u"), 0)
    run(schedule, 0)
    again = job("u", **({"samples": 12000} | changed))
    schedule.submit(again, 1)
    batch = run(schedule, 1)
    assert batch.closed == ("1",)
    assert [(step.stream, step.opens, step.pcm.size) for step in batch.steps] == [
        ("2", True, again.pcm.size)
    ]


def test_a_stream_stays_in_its_worker() -> None:
    schedule = PartialSchedule(1)
    schedule.submit(job("u"), 0)
    run(schedule, 0, "first")
    schedule.submit(job("u", 16000), 1)
    assert schedule.next_batch("second", 1) is None
    assert not run(schedule, 1, "first").steps[0].opens


def test_a_stream_moves_with_all_its_audio_when_its_worker_dies() -> None:
    schedule = PartialSchedule(1)
    schedule.submit(job("u"), 0)
    run(schedule, 0, "first")
    schedule.worker_died("first", DEATH, 0)
    schedule.submit(job("u", 16000), 1)
    batch = run(schedule, 1, "second")
    assert [(step.opens, step.pcm.size) for step in batch.steps] == [(True, 16000)]
    assert batch.closed == ()


def test_a_death_costs_the_running_partial_only() -> None:
    schedule = PartialSchedule(1)
    running, waiting = schedule.submit(job("u"), 0), schedule.submit(job("v"), 0)
    start(schedule, 0)
    schedule.worker_died("w", DEATH, 0)
    failure = next_failure(schedule)
    assert failure is not None
    assert failure[0] is running
    assert isinstance(failure[1], Superseded)
    assert next_failure(schedule) is None
    assert start(schedule, 1, "x").tickets == (waiting,)


def test_an_utterance_that_kills_workers_gets_no_more_partials() -> None:
    schedule = PartialSchedule(4)
    for now in range(MAX_DEATHS):
        schedule.submit(job("u", 8000 + now), now)
        start(schedule, now, f"w{now}")
        schedule.worker_died(f"w{now}", DEATH, 0)
    errors = []
    while failure := next_failure(schedule):
        errors.append((failure[0].job.utterance, type(failure[1])))
    assert errors == [("u", Superseded), ("u", PoisonJob)]
    with pytest.raises(PoisonJob):
        schedule.submit(job("u", 20000), 3)


def test_an_utterance_that_killed_a_worker_runs_alone() -> None:
    schedule = PartialSchedule(4)
    schedule.submit(job("u"), 0)
    start(schedule, 0)
    schedule.worker_died("w", DEATH, 0)
    for name in ("u", "v", "w"):
        schedule.submit(job(name, 9000), 1)
    together = [[ticket.job.utterance for ticket in run(schedule, 1).tickets] for _ in range(2)]
    assert together == [["v", "w"], ["u"]]


def test_a_newer_partial_replaces_a_waiting_one() -> None:
    schedule = PartialSchedule(1)
    older = schedule.submit(job("u"), 0)
    newer = schedule.submit(job("u", 9000), 1)
    failure = next_failure(schedule)
    assert failure is not None
    assert failure[0] is older
    assert isinstance(failure[1], Superseded)
    assert start(schedule, 1).tickets == (newer,)
    assert schedule.next_batch("w2", 1) is None


def test_speakers_without_text_are_first_and_then_those_who_waited_longest() -> None:
    schedule = PartialSchedule(1)
    for now, name in enumerate("ab"):
        schedule.submit(job(name), now)
        run(schedule, now)
    for name, samples in (("b", 9000), ("a", 20000), ("long", 16000), ("short", 8000)):
        schedule.submit(job(name, samples), 5)
    order = [run(schedule, 5 + i).tickets[0].job.utterance for i in range(4)]
    assert order == ["short", "long", "a", "b"]


def test_clients_take_turns() -> None:
    schedule = PartialSchedule(1)
    for i in range(4):
        schedule.submit(job(f"many {i}", client="many"), 0)
    schedule.submit(job("one", 9000, client="one"), 0)
    order = [run(schedule, i).tickets[0].client for i in range(3)]
    assert "one" in order[:2]


def test_streams_share_a_batch_up_to_its_limit() -> None:
    schedule = PartialSchedule(3)
    for name in "abcd":
        schedule.submit(job(name), 0)
    assert len(run(schedule, 0).steps) == 3
    assert len(run(schedule, 0).steps) == 1


def test_idle_streams_are_closed_with_the_next_batch() -> None:
    schedule = PartialSchedule(1)
    schedule.submit(job("u"), 0)
    run(schedule, 0)
    schedule.submit(job("v"), CLOSE_AFTER_S / 2)
    assert run(schedule, CLOSE_AFTER_S / 2).closed == ()
    schedule.submit(job("w"), CLOSE_AFTER_S)
    assert run(schedule, CLOSE_AFTER_S).closed == ("1",)
    schedule.submit(job("u", 9000), CLOSE_AFTER_S)
    assert run(schedule, CLOSE_AFTER_S).steps[0].opens


def test_the_oldest_stream_makes_room() -> None:
    schedule = PartialSchedule(1)
    for i in range(MAX_STREAMS):
        schedule.submit(job(f"u{i}"), i / 1000)
        assert run(schedule, i / 1000).closed == ()
    schedule.submit(job("one more"), 1)
    assert run(schedule, 1).closed == ("1",)


def test_waiting_jobs_are_bounded() -> None:
    schedule = PartialSchedule(1)
    for i in range(MAX_WAITING):
        schedule.submit(job(f"u{i}"), 0)
    with pytest.raises(Superseded):
        schedule.submit(job("one more"), 0)
    schedule.submit(job("u0", 9000), 0)  # replaces
    assert schedule.queue().waiting_jobs == MAX_WAITING


def test_cancelled_jobs_are_not_run_and_not_answered() -> None:
    schedule = PartialSchedule(1)
    waiting = schedule.submit(job("u"), 0)
    schedule.cancel(waiting)
    assert schedule.next_batch("w", 0) is None
    running = schedule.submit(job("v"), 0)
    start(schedule, 0)
    assert schedule.queue() == QueueStats(0, 1)
    schedule.cancel(running)
    (ticket,) = schedule.batch_done("w").tickets
    assert not schedule.settle(ticket)
    assert schedule.counters.done == 0


def test_a_drain_fails_all_jobs() -> None:
    schedule = PartialSchedule(1)
    running, waiting = schedule.submit(job("u"), 0), schedule.submit(job("v"), 0)
    start(schedule, 0)
    schedule.fail_all(Down.CLOSED)
    failed = []
    while failure := next_failure(schedule):
        failed.append(failure[0])
    assert {running, waiting} == set(failed)
