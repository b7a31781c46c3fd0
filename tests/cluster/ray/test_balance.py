"""Which replica gets the next job."""

import pytest

from auricle.cluster.ray.balance import ELSEWHERE_LOAD_S, STALE_S, ReplicaTable
from auricle.engines.base import CostModel
from auricle.values.errors import NoWorkerReady
from auricle.values.transcriber import QueueStats, Stats, WorkerState, WorkerStats

pytestmark = pytest.mark.unit

HERE, THERE = "node-1", "node-2"


def stats(
    waiting_s: float = 0.0,
    workers: int = 1,
    *,
    jobs: int = 0,
    ready: bool = True,
    seconds_per_audio_s: float = 0.0,
    **queue: float,
) -> Stats:
    up = [WorkerStats(f"asr-{n}", n, WorkerState.READY, 0, 0, 0, None) for n in range(workers)]
    down = WorkerStats("asr-x", None, WorkerState.BACKING_OFF, 0, 0, 0, None)
    return Stats(
        workers=(*up, down),
        ready=ready,
        seconds_per_audio_s=seconds_per_audio_s,
        queue=QueueStats(waiting_jobs=jobs, waiting_audio_s=waiting_s, **queue),  # type: ignore[arg-type]
    )


def board(now: float = 0.0, **replicas: Stats) -> ReplicaTable:
    it = ReplicaTable(HERE, dict.fromkeys(replicas, HERE))
    for name, reports in replicas.items():
        it.report(name, reports, now)
    return it


def test_the_replica_with_the_least_to_do_comes_first() -> None:
    it = board(a=stats(30), b=stats(10), c=stats(20))
    assert it.order(0.0) == ["b", "c", "a"]


def test_running_jobs_and_the_overhead_of_each_job_count() -> None:
    it = board(a=stats(running_audio_s=30), b=stats(20, jobs=3), c=stats(20, running_jobs=1))
    assert it.order(0.0) == ["c", "a", "b"]


def test_twice_the_workers_that_are_up_take_twice_the_audio() -> None:
    it = board(a=stats(30, 2), b=stats(16, 1))
    assert it.order(0.0) == ["a", "b"]


def test_a_replica_that_odd_jobs_made_look_fast_gets_no_more_than_others() -> None:
    it = board(a=stats(30, seconds_per_audio_s=1e-6), b=stats(10, seconds_per_audio_s=1.0))
    assert it.order(0.0) == ["b", "a"]


def test_jobs_that_were_sent_since_the_report_count() -> None:
    it = board(a=stats(), b=stats(8))
    it.sent("a", 30.0)
    assert it.order(0.0) == ["b", "a"]
    it.ended("a", 30.0)
    assert it.order(0.0) == ["a", "b"]


def test_jobs_in_a_report_are_not_counted_twice() -> None:
    it = board(a=stats(), b=stats(20))
    it.sent("a", 10.0)
    it.report("a", stats(10, jobs=1), 0.1)
    assert it.order(0.1) == ["a", "b"]
    assert it.has_other(["b"], 0.1)
    it.ended("a", 10.0)
    it.sent("a", 10.0)  # what was there is done: the report is out of date to its disadvantage
    assert it.order(0.1) == ["a", "b"]
    assert it.has_other(["b"], 0.1)


def test_equals_take_turns() -> None:
    it = board(a=stats(), b=stats(), c=stats())
    assert {it.order(0.0)[0] for _ in range(200)} == {"a", "b", "c"}


def test_this_machine_comes_first_until_it_has_a_job_more_than_another() -> None:
    it = board(near=stats(), far=stats())
    it.present = {"near": HERE, "far": THERE}
    assert {it.order(0.0)[0] for _ in range(50)} == {"near"}
    it.report("near", stats(ELSEWHERE_LOAD_S + 0.1), 0.0)
    assert it.order(0.0) == ["far", "near"]
    assert CostModel().job_overhead_s > ELSEWHERE_LOAD_S


def test_a_replica_whose_reports_stopped_comes_last_and_counts_as_lost() -> None:
    it = board(a=stats(), b=stats(200))
    it.report("b", stats(200), STALE_S)
    assert it.order(STALE_S) == ["a", "b"]
    assert it.order(STALE_S + 0.01) == ["b", "a"]
    reports = it.stats(STALE_S + 0.01)
    assert (reports["a"].ready, reports["b"].ready) == (False, True)
    assert it.order(10 * STALE_S) == ["a", "b"]  # perhaps it is this ingress that was stopped


def test_a_replica_that_missed_a_job_comes_last_until_its_next_report() -> None:
    it = board(a=stats(), b=stats(200))
    assert it.has_other(["b"], 0.0)
    it.missed("a")
    assert it.order(0.0) == ["b", "a"]
    assert not it.has_other(["b"], 0.0)
    it.report("a", stats(), 0.1)
    assert it.order(0.1) == ["a", "b"]
    assert it.has_other(["b"], 0.1)


def test_a_replica_without_a_ready_worker_gets_nothing() -> None:
    it = board(a=stats(ready=False), b=stats(100))
    assert it.order(0.0) == ["b"]
    assert not it.stats(0.0)["a"].ready
    assert not it.has_other(["b"], 0.0)


def test_a_replica_without_a_report_gets_no_jobs_and_is_counted() -> None:
    it = board(a=stats())
    it.present = {"a": HERE, "new": HERE}
    assert it.order(0.0) == ["a"]
    assert it.stats(0.0)["new"] == Stats()


def test_a_replica_that_ray_has_dropped_gets_no_jobs_despite_its_report() -> None:
    it = board(a=stats(), b=stats())
    it.present = {"b": HERE}
    assert it.order(0.0) == ["b"]
    assert list(it.stats(0.0)) == ["b"]


def test_the_end_of_a_job_at_a_replica_that_is_forgotten_is_no_matter() -> None:
    it = board(a=stats(), b=stats())
    it.sent("a", 1.0)
    it.present = {"b": HERE}
    it.report("c", stats(), 0.0)
    it.ended("a", 1.0)
    assert it.order(0.0) == ["b"]


@pytest.mark.parametrize("it", [ReplicaTable(), board(a=stats(ready=False))])
def test_without_any_that_works_the_caller_is_asked_to_retry(it: ReplicaTable) -> None:
    with pytest.raises(NoWorkerReady) as caught:
        it.order(0.0)
    assert caught.value.retry_after_s > 0


def test_it_has_reports_once_any_replica_has_sent_one() -> None:
    assert not ReplicaTable(HERE, {"a": HERE}).has_reports
    assert board(a=stats(ready=False)).has_reports
