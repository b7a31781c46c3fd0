"""Batches: which jobs share one, and in which order classes run."""

import itertools

import pytest

from auricle.engines.base import BatchRules, CostModel
from auricle.values.errors import Overloaded, Superseded
from auricle.values.types import ClientId, JobKind, Options, ReservationRequest
from auricle.workers.kinds.asr.scheduler import LIVE_LATELY_S, OTHERS_WAIT_S, Scheduler
from auricle.workers.kinds.asr.speed import Workers
from tests.workers.kinds.asr.scheduler.helpers import failures, job, run_next, scheduler

pytestmark = pytest.mark.unit


def test_an_idle_worker_takes_all_that_fit_in_one_batch() -> None:
    it = scheduler(size=1, batch=3)
    for n in range(4):
        it.submit(job(f"j{n}"), 0.0)
    assert run_next(it) == ["j0", "j1", "j2"]
    assert run_next(it) == ["j3"]


def test_files_that_share_one_worker_with_live_speech_run_in_small_batches() -> None:
    def batch_of_files(size: int, live_at: float) -> int:
        it = scheduler(size=size, batch=8)
        it.submit(job("live"), live_at)
        assert run_next(it, now=live_at) == ["live"]
        for n in range(8):
            it.submit(job(f"f{n}", kind=JobKind.FILE), 100.0)
        return len(run_next(it, now=100.0))

    assert batch_of_files(size=1, live_at=95.0) == BatchRules().max_optional_jobs
    assert batch_of_files(size=1, live_at=100.0 - LIVE_LATELY_S) == 8
    assert batch_of_files(size=2, live_at=95.0) == 8


def test_live_jobs_of_one_key_go_in_their_order_whatever_their_lengths() -> None:
    it = scheduler(size=1, batch=2)
    for name, seconds in (("a", 2.0), ("b", 4.0), ("c", 2.1)):
        it.submit(job(name, seconds), 0.0)
    assert run_next(it) == ["a", "b"]


def test_answers_are_counted_once_each() -> None:
    it = scheduler(size=1, batch=2)
    for _ in range(2):
        it.submit(job("good"), 0.0)
        assert run_next(it) == ["good"]
    for n in range(2):
        it.submit(job("bad"), 0.0)
        it.next_batch("w1", 0.0)
        (ticket,) = it.batch_done("w1", 1.0).tickets
        assert it.settle(ticket, failed=True)
        assert not it.settle(ticket, failed=True)
        assert (it.counters.done, it.counters.failed) == (2, n + 1)


def test_a_batch_has_one_class() -> None:
    it = scheduler(batch=8)
    it.submit(job("a"), 0.0)
    it.submit(job("german", options=Options(language="de")), 0.0)
    it.submit(job("long", seconds=12.0), 0.0)
    it.submit(job("b"), 0.0)
    assert run_next(it) == ["a", "b"]
    assert run_next(it) == ["german"]
    assert run_next(it) == ["long"]


def test_partials_with_different_prefixes_share_a_batch() -> None:
    it = scheduler(batch=8)
    for n in range(2):
        it.submit(job(f"p{n}", kind=JobKind.PARTIAL, options=Options(prefix_tokens=(n,))), 0.0)
    assert run_next(it) == ["p0", "p1"]


def test_the_oldest_piece_of_a_file_takes_those_nearest_in_length_with_it() -> None:
    it = scheduler(batch=3)
    for name, seconds in (("a", 6.0), ("b", 11.0), ("c", 7.5), ("d", 1.0), ("e", 5.9)):
        it.submit(job(name, seconds, kind=JobKind.FILE), 0.0)
    assert run_next(it) == ["a", "e", "c"]
    assert run_next(it) == ["b", "d"]


def test_pieces_of_files_leave_half_of_the_queue_to_utterances() -> None:
    it = scheduler(queue_audio_s=40)
    it.submit(job("f0", 11.0, kind=JobKind.FILE), 0.0)
    it.submit(job("f1", 9.0, kind=JobKind.FILE), 0.0)
    with pytest.raises(Overloaded):
        it.submit(job("f2", 1.0, kind=JobKind.FILE), 0.0)
    it.submit(job("final", 20.0), 0.0)


def test_files_may_use_all_workers_without_live_sessions() -> None:
    it = scheduler(size=2, batch=1, file_workers=2)
    for n in range(3):
        it.submit(job(f"f{n}", kind=JobKind.FILE), 0.0)
    assert it.next_batch("w1", 0.0)
    assert it.next_batch("w2", 0.0)


def test_the_most_urgent_kind_goes_first() -> None:
    it = scheduler(size=1, batch=1)
    for kind in reversed(JobKind):
        it.submit(job(kind.value, kind=kind), 0.0)
    assert [run_next(it)[0] for _ in range(4)] == ["final", "speculative", "partial", "file"]


@pytest.mark.parametrize(
    ("kind", "jobs"),
    [
        (JobKind.FINAL, BatchRules().max_final_jobs),
        (JobKind.SPECULATIVE, BatchRules().max_optional_jobs),
        (JobKind.PARTIAL, BatchRules().max_optional_jobs),
        (JobKind.FILE, 8),
    ],
)
def test_live_jobs_run_in_small_batches(kind: JobKind, jobs: int) -> None:
    workers = Workers(5, ready=5)  # so that partials find room
    it = scheduler(workers=workers, batch=8)
    for n in range(9):
        it.submit(job(f"j{n}", kind=kind), 0.0)
    workers.ready = 1
    assert len(run_next(it)) == jobs


@pytest.mark.parametrize(
    ("finals", "taken"), [(1, 1), (4, 2), (6, 3), (9, BatchRules().max_final_jobs)]
)
def test_a_worker_leaves_finals_to_the_others(finals: int, taken: int) -> None:
    it = scheduler(size=2, batch=8)
    for n in range(finals):
        it.submit(job(f"j{n}"), 0.0)
    assert len(run_next(it)) == taken


def crowded(seconds_per_load: float, others: bool = True) -> Scheduler:
    it = scheduler(size=2, batch=8)
    it.speed.observe(seconds_per_load)
    for n in range(20):
        it.submit(job(f"c{n}", 4.0, client="crowd"), 0.0)
    if others:
        it.reserve(ReservationRequest(ClientId("other"), 0.0, standing=True), 0.0)
    return it


def test_a_final_of_another_key_shares_no_batch_with_a_crowd() -> None:
    it = crowded(0.01)
    assert run_next(it) == ["c0", "c1", "c2", "c3"]
    it.submit(job("other", 4.0, client="other"), 0.0)
    it.submit(job("third", 4.0, client="third"), 0.0)
    assert run_next(it) == ["other", "third"]
    assert run_next(it) == ["c4", "c5", "c6", "c7"]


def test_batches_of_a_crowd_are_short_while_another_key_is_live() -> None:
    costs = CostModel()
    whole = OTHERS_WAIT_S / (3 * costs.load_s(4.0))  # three finals take this time
    assert run_next(crowded(0.99 * whole)) == ["c0", "c1", "c2"]
    assert run_next(crowded(1.01 * whole)) == ["c0", "c1"]
    assert run_next(crowded(100 * whole)) == ["c0", "c1"]
    assert len(run_next(crowded(100 * whole, others=False))) == BatchRules().max_final_jobs


def test_keys_that_wait_alike_share_batches_on_a_slow_machine() -> None:
    it = scheduler(size=2, batch=8)
    it.speed.observe(100.0)
    for n in range(20):
        it.submit(job(f"{n}", 4.0, client=f"key{n}"), 0.0)
    assert run_next(it) == ["0", "1", "2", "3"]


def test_no_more_partials_wait_than_a_small_batch_for_each_worker() -> None:
    workers = Workers(2, ready=2)
    it = scheduler(workers=workers)
    room = 2 * BatchRules().max_optional_jobs
    for n in range(room):
        it.submit(job(f"p{n}", kind=JobKind.PARTIAL, utterance=f"u{n}"), 0.0)
    with pytest.raises(Superseded):
        it.submit(job("late", kind=JobKind.PARTIAL, utterance="other"), 0.0)
    it.submit(job("newer", kind=JobKind.PARTIAL, utterance="u1"), 0.0)  # in the older one's place
    it.submit(job("final"), 0.0)
    assert it.backlog.waiting_jobs == room + 1
    assert it.counters.refused == 0
    assert run_next(it) == ["final"]
    it.next_batch("w1", 0.0)
    it.submit(job("late", kind=JobKind.PARTIAL, utterance="other"), 0.0)


def test_the_longest_partial_gives_way_to_the_newest_speaker() -> None:
    it = scheduler(size=1)
    for seconds in range(2, 2 + BatchRules().max_optional_jobs):
        it.submit(job(f"{seconds} s", seconds, JobKind.PARTIAL, utterance=f"u{seconds}"), 0.0)
    longest = f"{1 + BatchRules().max_optional_jobs} s"
    it.submit(job("short", 1.0, JobKind.PARTIAL, utterance="new"), 0.0)
    assert failures(it) == [(longest, Superseded)]
    assert "short" in run_next(it)


def test_a_newer_partial_takes_the_older_ones_place() -> None:
    it = scheduler(batch=1)
    it.submit(job("p1", kind=JobKind.PARTIAL, utterance="u"), 0.0)
    it.submit(job("other", kind=JobKind.PARTIAL, utterance="v"), 0.0)
    it.submit(job("p2", kind=JobKind.PARTIAL, utterance="u"), 0.0)
    assert failures(it) == [("p1", Superseded)]
    assert run_next(it) + run_next(it) == ["p2", "other"]


def test_of_two_workers_files_take_one() -> None:
    it = scheduler(size=2, batch=1)
    for n in range(2):
        it.submit(job(f"f{n}", kind=JobKind.FILE), 0.0)
    assert it.next_batch("w1", 0.0) is not None
    assert it.next_batch("w2", 0.0) is None


def test_files_leave_one_worker_to_live_speech() -> None:
    it = scheduler(size=3, batch=1)
    for n in range(3):
        it.submit(job(f"f{n}", kind=JobKind.FILE), 0.0)
    assert it.next_batch("w1", 0.0) is not None
    assert it.next_batch("w2", 0.0) is not None
    assert it.next_batch("w3", 0.0) is None
    it.submit(job("live"), 0.0)
    assert run_next(it, "w3") == ["live"]


def test_keys_with_pieces_of_the_same_length_share_each_batch_of_files() -> None:
    it = scheduler(batch=8, queue_audio_s=1000)
    for client in ("a", "b"):
        for n in range(20):
            it.submit(job(f"{client}{n}", kind=JobKind.FILE, client=client), 0.0)
    assert sorted(run_next(it)) == ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]


def test_files_get_exactly_their_share_under_live_load() -> None:
    it = scheduler(size=1, batch=1, file_share=0.125)

    def live_before_the_file() -> int:
        for n in itertools.count():
            it.submit(job("live", 3.0), 0.0)
            if run_next(it) == ["file"]:
                return n
        raise AssertionError

    it.submit(job("file", 3.0, JobKind.FILE), 0.0)
    it.submit(job("file", 3.0, JobKind.FILE), 0.0)
    assert [live_before_the_file() for _ in range(2)] == [8, 8]
    for _ in range(5):  # no credit is earned while no file waits
        run_next(it)
    it.submit(job("file", 3.0, JobKind.FILE), 0.0)
    assert live_before_the_file() == 8
