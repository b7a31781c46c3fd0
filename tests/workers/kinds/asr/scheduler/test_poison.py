"""Worker deaths, suspects, quarantine and crash limits for keys."""

import pytest

from auricle.values.errors import PoisonJob, RateLimited, Superseded
from auricle.values.types import ClientId, Job, JobId, JobKind, ReservationRequest
from auricle.workers.kinds.asr.speed import Workers
from tests.workers.kinds.asr.scheduler.helpers import failures, job, run_next, scheduler

pytestmark = pytest.mark.unit

SEGV = "SIGSEGV model.py:1 decode"


def test_a_batch_that_dies_runs_again_one_by_one_at_the_head_of_the_queue() -> None:
    it = scheduler(size=1, batch=3)
    for n in range(3):
        it.submit(job(f"j{n}"), 0.0)
    it.next_batch("w1", 0.0)
    it.submit(job("later"), 0.0)
    it.worker_died("w1", SEGV, 1.0)
    assert [run_next(it) for _ in range(4)] == [["j0"], ["j1"], ["j2"], ["later"]]
    assert it.counters.retried == 3
    assert failures(it) == []


def test_the_same_death_alone_twice_quarantines_the_audio() -> None:
    it = scheduler()
    poison = job("poison")
    it.submit(poison, 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    it.next_batch("w1", 2.0)
    it.worker_died("w1", SEGV, 3.0)
    failure = it.next_failure()
    assert failure is not None
    assert failure.ticket.job is poison
    assert isinstance(failure.error, PoisonJob)
    assert str(failure.error) == "This audio crashed the engine repeatedly."
    assert failures(it) == []
    with pytest.raises(PoisonJob):
        it.submit(Job(JobId("again"), poison.pcm.copy()), 4.0)
    with pytest.raises(PoisonJob):
        it.submit(Job(JobId("again"), poison.pcm.copy()), 5.0)
    assert (it.counters.poison, it.counters.refused) == (1, 2)
    it.submit(Job(JobId("after"), poison.pcm.copy()), 4.0 + 600.0)


def test_the_death_of_a_whole_batch_quarantines_no_audio() -> None:
    it = scheduler(batch=2, poison_attempts=1)
    it.submit(job("a"), 0.0)
    it.submit(job("b"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    assert failures(it) == []


def test_a_suspect_waits_until_it_would_not_be_the_last_worker() -> None:
    workers = Workers(2, ready=2)
    it = scheduler(workers=workers, batch=1)
    it.submit(job("suspect"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    workers.ready = 1
    assert it.next_batch("w2", 1.0) is None
    it.submit(job("innocent"), 1.0)
    assert run_next(it, "w2") == ["innocent"]
    workers.ready = 2
    assert run_next(it, "w2") == ["suspect"]


def test_a_suspect_that_waits_does_not_hold_up_less_urgent_jobs() -> None:
    workers = Workers(2, ready=2)
    it = scheduler(workers=workers)
    it.submit(job("suspect"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    workers.ready = 1
    it.submit(job("guess", kind=JobKind.PARTIAL), 1.0)
    assert run_next(it, "w2") == ["guess"]


def test_a_pool_of_one_tries_a_suspect_again() -> None:
    it = scheduler(size=1)
    it.submit(job("suspect"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    assert run_next(it) == ["suspect"]


def test_a_suspect_does_not_wait_forever_for_a_worker_that_never_comes() -> None:
    workers = Workers(2, ready=2)
    it = scheduler(workers=workers)
    it.submit(job("suspect"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", None, 1.0)
    workers.ready = 1
    assert it.next_batch("w2", 59.0) is None
    assert run_next(it, "w2", 60.0) == ["suspect"]


def test_its_patience_counts_from_its_latest_attempt() -> None:
    workers = Workers(2, ready=2)
    it = scheduler(workers=workers)
    it.submit(job("suspect"), 900.0)
    it.next_batch("w1", 1000.0)
    it.worker_died("w1", None, 1001.0)
    workers.ready = 1
    assert it.next_batch("w2", 1059.0) is None
    assert run_next(it, "w2", 1060.0) == ["suspect"]


def test_two_suspects_do_not_take_two_workers_at_once() -> None:
    it = scheduler(size=2, batch=1)
    it.submit(job("a"), 0.0)
    it.submit(job("b"), 0.0)
    it.next_batch("w1", 0.0)
    it.next_batch("w2", 0.0)
    it.worker_died("w1", None, 1.0)
    it.worker_died("w2", None, 1.0)
    assert it.next_batch("w1", 2.0) is not None
    assert it.next_batch("w2", 2.0) is None


def test_cancelled_jobs_do_not_affect_others_when_their_worker_dies() -> None:
    it = scheduler(size=1, batch=3)
    tickets = [it.submit(job(name), 0.0) for name in "abc"]
    it.next_batch("w1", 0.0)
    it.cancel(tickets[2])
    it.worker_died("w1", SEGV, 1.0)
    assert [run_next(it) for _ in range(3)] == [["a"], ["b"], []]


def test_audio_has_a_clean_record_once_its_quarantine_is_over() -> None:
    it = scheduler(size=4)
    poison = job("p0")
    twin = Job(JobId("p1"), poison.pcm.copy())
    for each, worker in ((poison, "w1"), (twin, "w2")):
        it.submit(each, 0.0)
        it.next_batch(worker, 0.0)
    it.worker_died("w1", SEGV, 1.0)
    it.next_batch("w1", 1.0)
    it.worker_died("w1", SEGV, 2.0)
    it.worker_died("w2", SEGV, 3.0)
    assert failures(it) == [("p0", PoisonJob), ("p1", PoisonJob)]
    for each in (poison, twin):
        it.submit(each, 700.0)
        it.next_batch("w1", 700.0)
        it.worker_died("w1", SEGV, 701.0)
        assert failures(it) == []
        assert run_next(it, now=702.0) == [each.id]


def test_one_quarantine_ends_all_jobs_of_that_audio() -> None:
    it = scheduler(size=4, batch=1)
    poison = job("p0")
    it.submit(poison, 0.0)
    for n in range(1, 9):
        it.submit(Job(JobId(f"p{n}"), poison.pcm.copy()), 0.0)
    it.submit(job("innocent"), 0.0)
    it.next_batch("w1", 0.0)
    it.next_batch("w2", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    it.next_batch("w1", 2.0)
    it.worker_died("w1", SEGV, 3.0)
    assert failures(it) == [(f"p{n}", PoisonJob) for n in (0, 2, 3, 4, 5, 6, 7, 8)]
    it.worker_died("w2", SEGV, 4.0)
    assert failures(it) == [("p1", PoisonJob)]
    assert it.counters.poison == 1
    assert run_next(it) == ["innocent"]


def test_without_keys_no_client_is_blocked_for_the_audio_of_another() -> None:
    it = scheduler(max_crashes_per_key=1, poison_attempts=1)
    it.submit(job("poison"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", None, 1.0)
    assert failures(it) == [("poison", PoisonJob)]
    it.submit(job("innocent"), 2.0)


def test_partials_of_a_deadly_utterance_stop_and_its_final_is_tried_once_more() -> None:
    it = scheduler()
    it.submit(job("p", kind=JobKind.PARTIAL, utterance="s/1"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    assert failures(it) == [("p", Superseded)]
    with pytest.raises(Superseded):
        it.submit(job("p2", kind=JobKind.PARTIAL, utterance="s/1"), 2.0)
    it.submit(job("f", utterance="s/1"), 3.0)
    it.next_batch("w1", 3.0)
    it.worker_died("w1", SEGV, 4.0)
    assert failures(it) == [("f", PoisonJob)]


def test_the_final_of_a_deadly_utterance_runs_alone_though_others_wait() -> None:
    it = scheduler()
    it.submit(job("p", kind=JobKind.PARTIAL, utterance="s/1"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    it.submit(job("f", utterance="s/1"), 2.0)
    it.submit(job("innocent"), 2.0)
    assert [run_next(it) for _ in range(2)] == [["f"], ["innocent"]]


def test_it_does_not_go_along_in_the_batch_of_others_either() -> None:
    it = scheduler()
    it.submit(job("p", kind=JobKind.PARTIAL, utterance="s/1"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    it.submit(job("innocent"), 2.0)
    it.submit(job("f", utterance="s/1"), 2.0)
    assert [run_next(it) for _ in range(2)] == [["innocent"], ["f"]]


def test_hanging_up_does_not_launder_poison() -> None:
    it = scheduler()
    poison = job("first")
    ticket = it.submit(poison, 0.0)
    it.next_batch("w1", 0.0)
    it.cancel(ticket)
    it.worker_died("w1", SEGV, 1.0)
    again = it.submit(Job(JobId("second"), poison.pcm.copy()), 2.0)
    it.next_batch("w1", 2.0)
    it.cancel(again)
    it.worker_died("w1", SEGV, 3.0)
    with pytest.raises(PoisonJob):
        it.submit(Job(JobId("third"), poison.pcm.copy()), 4.0)


@pytest.mark.parametrize("ends", ["with its caller", "too late"])
def test_nor_does_hanging_up_while_it_waits_to_be_tried_again(ends: str) -> None:
    it = scheduler()
    poison = job("first", max_wait_s=5.0)
    ticket = it.submit(poison, 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    if ends == "too late":
        it.poll(5.0)
    else:
        it.cancel(ticket)
    gone = it.submit(Job(JobId("second"), poison.pcm.copy()), 6.0)
    it.next_batch("w1", 6.0)
    it.cancel(gone)
    it.worker_died("w1", SEGV, 7.0)
    with pytest.raises(PoisonJob):
        it.submit(Job(JobId("third"), poison.pcm.copy()), 8.0)


def test_cancelled_jobs_are_not_blamed_for_each_other() -> None:
    it = scheduler()
    jobs = [job("a"), job("b")]
    for each in jobs:
        ticket = it.submit(each, 0.0)
        it.next_batch("w1", 0.0)
        it.cancel(ticket)
        it.worker_died("w1", SEGV, 1.0)
    for each in jobs:
        it.submit(Job(JobId("again"), each.pcm.copy()), 2.0)


def test_an_utterance_that_succeeded_gets_partials_again() -> None:
    it = scheduler()
    it.submit(job("p", kind=JobKind.PARTIAL, utterance="s/1"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    it.submit(job("f", utterance="s/1"), 2.0)
    assert run_next(it) == ["f"]
    it.submit(job("p2", kind=JobKind.PARTIAL, utterance="s/1"), 3.0)
    assert run_next(it) == ["p2"]


def test_a_key_whose_audio_keeps_crashing_the_engine_is_shut_out_for_a_while() -> None:
    it = scheduler(max_crashes_per_key=2, crash_window_s=100, poison_attempts=1)
    for n in range(2):
        it.submit(job(f"p{n}", client="mallory"), float(n))
        it.next_batch("w1", float(n))
        it.worker_died("w1", None, float(n))
    with pytest.raises(RateLimited) as caught:
        it.submit(job("x", client="mallory"), 10.0)
    assert caught.value.retry_after_s == 90
    with pytest.raises(RateLimited):
        it.reserve(ReservationRequest(ClientId("mallory"), 1.0), 10.0)
    with pytest.raises(RateLimited):
        it.submit(job("x", client="mallory"), 99.5)
    assert (it.counters.poison, it.counters.refused) == (2, 3)
    it.submit(job("y", client="alice"), 10.0)
    it.submit(job("z", client="mallory"), 101.0)


def test_a_job_that_died_alone_stays_alone_after_its_worker_was_stopped_from_outside() -> None:
    it = scheduler()
    first, other = it.submit(job("a"), 0.0), it.submit(job("b"), 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    assert first.alone
    it.next_batch("w1", 2.0)
    it.worker_died("w1", None, 3.0, is_blamed=False)
    assert first.alone
    assert other.alone
