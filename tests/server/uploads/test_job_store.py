import contextlib

import pytest

from auricle.errors import BadRequest, NotFound, Overloaded
from auricle.server.uploads.job_store import COLLECT_S, JobRecord, JobState, JobStore
from auricle.types import ClientId

pytestmark = pytest.mark.unit

ALICE, BOB = ClientId("alice"), ClientId("bob")


def store_of(max_jobs: int, keep_s: float = 3600, max_bytes: int = 10**9) -> JobStore:
    return JobStore(max_jobs, keep_s, max_bytes)


def record(job_id: str, client: ClientId = ALICE) -> JobRecord:
    return JobRecord(job_id, job_id, client)


def done(
    store: JobStore, job_id: str, now: float, client: ClientId = ALICE, size_bytes: int = 0
) -> JobRecord:
    made = record(job_id, client)
    store.add(made, now)
    made.result = b" " * size_bytes
    store.finish(made, JobState.DONE, now)
    return made


async def test_a_result_is_kept_for_its_time_and_no_longer() -> None:
    store = store_of(10, keep_s=3600)
    made = done(store, "a", now=100)
    assert store.find(ALICE, "a", 3700) is made
    with pytest.raises(NotFound):
        store.find(ALICE, "a", 3700.1)
    assert len(store) == 0


async def test_a_job_that_runs_is_kept_forever() -> None:
    store = store_of(10, keep_s=1)
    made = record("a")
    store.add(made, 0)
    assert store.find(ALICE, "a", 1e9) is made


async def test_the_oldest_finished_job_makes_room() -> None:
    store = store_of(2, keep_s=3600)
    store.add(record("running"), 0)
    done(store, "a", 1)
    done(store, "b", 2)
    assert len(store) == 2
    with pytest.raises(NotFound):
        store.find(ALICE, "a", 3)
    store.find(ALICE, "running", 3)


async def test_running_jobs_alone_may_fill_the_store() -> None:
    store = store_of(1, keep_s=3600)
    store.add(record("a"), 0)
    with pytest.raises(Overloaded):
        store.add(record("b"), 0)


async def test_ids_belong_to_their_key() -> None:
    store = store_of(10, keep_s=3600)
    mine, other = record("a"), record("a", BOB)
    store.add(mine, 0)
    store.add(other, 0)
    assert store.find(ALICE, "a", 0) is mine
    assert store.find(BOB, "a", 0) is other


async def test_an_id_in_use_is_refused() -> None:
    store = store_of(10, keep_s=3600)
    store.add(record("a"), 0)
    with pytest.raises(BadRequest):
        store.add(record("a"), 0)


async def test_the_first_end_counts() -> None:
    store = store_of(10, keep_s=3600)
    made = done(store, "a", 0)
    store.finish(made, JobState.CANCELLED, 5)
    assert (made.state, made.finished_at) == (JobState.DONE, 0)


async def test_removing_a_job_does_not_remove_the_one_that_took_its_id() -> None:
    store = store_of(10, keep_s=3600)
    first = done(store, "a", 0)
    second = done(store, "a", 1)
    store.remove(first)
    assert store.find(ALICE, "a", 1) is second


async def test_running_jobs_and_uncollected_results_are_known() -> None:
    store = store_of(10, keep_s=3600)
    running, queued = record("running"), record("queued", BOB)
    for unfinished in (running, queued):
        store.add(unfinished, 0)
    running.state = JobState.RUNNING
    fresh, seen = done(store, "fresh", 100), done(store, "seen", 100)
    seen.is_collected = True
    assert store.unfinished() == [running, queued]
    assert store.uncollected(100 + COLLECT_S) == [fresh]
    assert store.uncollected(100.1 + COLLECT_S) == []


def kept(store: JobStore, client: ClientId, *job_ids: str) -> list[str]:
    found = []
    for job_id in job_ids:
        with contextlib.suppress(NotFound):
            found.append(store.find(client, job_id, 10).job_id)
    return found


async def test_a_key_that_makes_many_jobs_pushes_out_its_own_results_only() -> None:
    store = store_of(10)
    done(store, "bobs", 0, BOB)
    for number in range(50):
        done(store, f"a{number}", 1)
    assert kept(store, BOB, "bobs") == ["bobs"]
    assert kept(store, ALICE, *(f"a{number}" for number in range(50))) == [
        f"a{number}" for number in range(41, 50)
    ]
    done(store, "bobs2", 2, BOB)
    assert kept(store, BOB, "bobs", "bobs2") == ["bobs", "bobs2"]


async def test_a_key_loses_what_it_has_fetched_first() -> None:
    store = store_of(2)
    done(store, "old", 0)
    done(store, "seen", 1).is_collected = True
    done(store, "new", 2)
    assert kept(store, ALICE, "old", "seen", "new") == ["old", "new"]


async def test_results_are_bounded_in_bytes_too_and_the_key_with_most_loses() -> None:
    store = store_of(100, max_bytes=100_000)
    done(store, "bobs", 0, BOB, size_bytes=30_000)
    for number in range(5):
        done(store, f"a{number}", 1, size_bytes=20_000)
    assert kept(store, BOB, "bobs") == ["bobs"]
    assert kept(store, ALICE, "a0", "a1", "a2", "a3", "a4") == ["a2", "a3", "a4"]


async def test_a_fresh_result_stays_however_large_it_is() -> None:
    store = store_of(100, max_bytes=100_000)
    done(store, "bobs", 0, BOB, size_bytes=30_000)
    done(store, "huge", 1, size_bytes=90_000)
    assert kept(store, ALICE, "huge") == ["huge"]
    assert kept(store, BOB, "bobs") == []
    done(store, "small", 2, BOB)
    assert kept(store, ALICE, "huge") == ["huge"]
    done(store, "larger", 3, size_bytes=200_000)
    assert kept(store, ALICE, "huge", "larger") == ["larger"]
