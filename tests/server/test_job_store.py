import pytest

from auricle.errors import BadRequest, NotFound, Overloaded
from auricle.server.job_store import COLLECT_S, JobRecord, JobState, JobStore
from auricle.types import ClientId

pytestmark = pytest.mark.unit

ALICE, BOB = ClientId("alice"), ClientId("bob")


def record(job_id: str, client: ClientId = ALICE) -> JobRecord:
    return JobRecord(job_id, job_id, client)


def done(store: JobStore, job_id: str, now: float) -> JobRecord:
    made = record(job_id)
    store.add(made, now)
    store.finish(made, JobState.DONE, now)
    return made


async def test_a_result_is_kept_for_its_time_and_no_longer() -> None:
    store = JobStore(10, keep_s=3600)
    made = done(store, "a", now=100)
    assert store.find(ALICE, "a", 3700) is made
    with pytest.raises(NotFound):
        store.find(ALICE, "a", 3700.1)
    assert len(store) == 0


async def test_a_job_that_runs_is_kept_for_ever() -> None:
    store = JobStore(10, keep_s=1)
    made = record("a")
    store.add(made, 0)
    assert store.find(ALICE, "a", 1e9) is made


async def test_the_oldest_finished_job_makes_room() -> None:
    store = JobStore(2, keep_s=3600)
    store.add(record("running"), 0)
    done(store, "a", 1)
    done(store, "b", 2)
    assert len(store) == 2
    with pytest.raises(NotFound):
        store.find(ALICE, "a", 3)
    store.find(ALICE, "running", 3)


async def test_running_jobs_alone_may_fill_the_store() -> None:
    store = JobStore(1, keep_s=3600)
    store.add(record("a"), 0)
    with pytest.raises(Overloaded):
        store.add(record("b"), 0)


async def test_ids_belong_to_their_key() -> None:
    store = JobStore(10, keep_s=3600)
    mine, other = record("a"), record("a", BOB)
    store.add(mine, 0)
    store.add(other, 0)
    assert store.find(ALICE, "a", 0) is mine
    assert store.find(BOB, "a", 0) is other


async def test_an_id_in_use_is_refused() -> None:
    store = JobStore(10, keep_s=3600)
    store.add(record("a"), 0)
    with pytest.raises(BadRequest):
        store.add(record("a"), 0)


async def test_the_first_end_counts() -> None:
    store = JobStore(10, keep_s=3600)
    made = done(store, "a", 0)
    store.finish(made, JobState.CANCELLED, 5)
    assert (made.state, made.finished_at) == (JobState.DONE, 0)


async def test_removing_a_job_does_not_remove_the_one_that_took_its_id() -> None:
    store = JobStore(10, keep_s=3600)
    first = done(store, "a", 0)
    second = done(store, "a", 1)
    store.remove(first)
    assert store.find(ALICE, "a", 1) is second


async def test_jobs_that_run_and_results_that_nobody_saw_yet_are_known() -> None:
    store = JobStore(10, keep_s=3600)
    running, queued = record("running"), record("queued", BOB)
    for unfinished in (running, queued):
        store.add(unfinished, 0)
    running.state = JobState.RUNNING
    fresh, seen = done(store, "fresh", 100), done(store, "seen", 100)
    seen.is_collected = True
    assert store.unfinished() == [running, queued]
    assert store.uncollected(100 + COLLECT_S) == [fresh]
    assert store.uncollected(100.1 + COLLECT_S) == []
