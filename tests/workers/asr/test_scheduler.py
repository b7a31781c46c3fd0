import itertools
import math

import numpy as np
import pytest

from auricle.config.settings import QueueSettings
from auricle.engine.base import CostModel
from auricle.errors import (
    AuricleError,
    DeadlineExceeded,
    Overloaded,
    PoisonJob,
    RateLimited,
    Superseded,
)
from auricle.types import ClientId, Job, JobId, JobKind, Options, ReservationRequest
from auricle.workers.asr.backlog import Ticket
from auricle.workers.asr.scheduler import (
    LIVE_LATELY_S,
    MAX_FINAL_BATCH_JOBS,
    MAX_SMALL_BATCH_JOBS,
    Scheduler,
)
from auricle.workers.asr.speed import MAX_RETRY_AFTER_S, Speed, Workers, whole_seconds

pytestmark = pytest.mark.unit

SEGV = "SIGSEGV model.py:1 decode"
_serial = iter(range(10**9))


def scheduler(
    size: int = 2, batch: int = 4, workers: Workers | None = None, **queue: float
) -> Scheduler:
    workers = workers or Workers(size, ready=size)
    return Scheduler(
        QueueSettings.model_validate(queue),
        max_batch_jobs=batch,
        workers=workers,
        speed=Speed(job_timeout_min_s=10, job_timeout_factor=8, workers=workers, costs=CostModel()),
    )


def job(
    name: str,
    seconds: float = 2.0,
    kind: JobKind = JobKind.FINAL,
    client: str = "anonymous",
    utterance: str = "",
    max_wait_s: float | None = None,
    reservation: str | None = None,
    options: Options | None = None,
) -> Job:
    pcm = np.full(max(1, int(16_000 * seconds)), next(_serial) % 30_000, np.int16)
    return Job(
        JobId(name),
        pcm,
        options or Options(),
        kind=kind,
        client=ClientId(client),
        utterance=utterance,
        max_wait_s=max_wait_s,
        reservation=reservation,
    )


def names(tickets: tuple[Ticket, ...]) -> list[str]:
    return [ticket.job.id for ticket in tickets]


def run_next(it: Scheduler, worker: str = "w1", now: float = 0.0) -> list[str]:
    """Let a worker take and finish a batch; return the jobs' names."""
    batch = it.next_batch(worker, now)
    if batch is None:
        return []
    done = it.batch_done(worker, now + 0.1)
    return [ticket.job.id for ticket in done.tickets if it.settle(ticket)]


def failures(it: Scheduler) -> list[tuple[str, type[AuricleError]]]:
    found = []
    while failure := it.next_failure():
        found.append((str(failure.ticket.job.id), type(failure.error)))
    return found


# Order.


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

    assert batch_of_files(size=1, live_at=95.0) == MAX_SMALL_BATCH_JOBS
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


def test_files_may_have_all_workers_where_nobody_speaks_live() -> None:
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
        (JobKind.FINAL, MAX_FINAL_BATCH_JOBS),
        (JobKind.SPECULATIVE, MAX_SMALL_BATCH_JOBS),
        (JobKind.PARTIAL, MAX_SMALL_BATCH_JOBS),
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


@pytest.mark.parametrize(("finals", "taken"), [(1, 1), (4, 2), (6, 3), (9, MAX_FINAL_BATCH_JOBS)])
def test_a_worker_leaves_finals_to_the_others(finals: int, taken: int) -> None:
    it = scheduler(size=2, batch=8)
    for n in range(finals):
        it.submit(job(f"j{n}"), 0.0)
    assert len(run_next(it)) == taken


def test_no_more_partials_wait_than_a_small_batch_for_each_worker() -> None:
    workers = Workers(2, ready=2)
    it = scheduler(workers=workers)
    room = 2 * MAX_SMALL_BATCH_JOBS
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


def test_the_longest_partial_gives_way_to_who_has_just_begun_to_speak() -> None:
    it = scheduler(size=1)
    for seconds in range(2, 2 + MAX_SMALL_BATCH_JOBS):
        it.submit(job(f"{seconds} s", seconds, JobKind.PARTIAL, utterance=f"u{seconds}"), 0.0)
    longest = f"{1 + MAX_SMALL_BATCH_JOBS} s"
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


# Bounds.


def test_the_queue_is_bounded_in_audio_up_to_the_edge() -> None:
    it = scheduler(queue_audio_s=10)
    it.submit(job("a", 6.0), 0.0)
    it.submit(job("b", 4.0), 0.0)
    with pytest.raises(Overloaded) as caught:
        it.submit(job("c", 0.1), 0.0)
    assert caught.value.retry_after_s >= 1
    assert it.counters.refused == 1


def test_the_queue_is_bounded_in_jobs() -> None:
    it = scheduler(queue_jobs=2)
    it.submit(job("a"), 0.0)
    it.submit(job("b"), 0.0)
    with pytest.raises(Overloaded):
        it.submit(job("c"), 0.0)


def test_running_work_does_not_fill_the_queue() -> None:
    it = scheduler(queue_audio_s=10)
    it.submit(job("a", 10.0), 0.0)
    assert it.next_batch("w1", 0.0)
    it.submit(job("b", 10.0), 0.0)


def test_an_empty_queue_takes_any_job() -> None:
    it = scheduler(queue_audio_s=1)
    it.submit(job("a", 30.0), 0.0)


def test_a_key_may_fill_only_its_share() -> None:
    it = scheduler(size=1, queue_audio_s=20, key_share=0.5)
    it.submit(job("a", 9.0, client="greedy"), 0.0)
    with pytest.raises(Overloaded, match="share"):
        it.submit(job("b", 2.0, client="greedy"), 0.0)
    it.submit(job("c", 9.0, client="modest"), 0.0)


def test_speculation_and_partials_make_room_for_finals() -> None:
    it = scheduler(size=1, queue_audio_s=10)
    it.submit(job("final", 2.0), 0.0)
    it.submit(job("partial", 4.0, JobKind.PARTIAL), 0.0)
    it.submit(job("guess", 4.0, JobKind.SPECULATIVE), 0.0)
    it.submit(job("new", 3.0), 0.0)
    assert failures(it) == [("guess", Superseded)]
    it.submit(job("newer", 5.0), 0.0)
    assert failures(it) == [("partial", Superseded)]
    with pytest.raises(Overloaded):
        it.submit(job("newest", 1.0), 0.0)
    assert failures(it) == []


def test_a_key_may_fill_only_its_share_of_the_jobs() -> None:
    it = scheduler(queue_jobs=10, key_share=0.5)
    for n in range(5):
        it.submit(job(f"g{n}", 0.1, client="greedy"), 0.0)
    with pytest.raises(Overloaded, match="share"):
        it.reserve(ReservationRequest(ClientId("greedy"), 0.1), 0.0)
    it.submit(job("m", 0.1, client="modest"), 0.0)


def test_a_full_share_is_not_helped_by_other_keys_partials() -> None:
    it = scheduler(size=1, queue_audio_s=20, key_share=0.5)
    it.submit(job("theirs", 5.0, JobKind.PARTIAL, client="other"), 0.0)
    it.submit(job("mine", 8.0, client="greedy"), 0.0)
    with pytest.raises(Overloaded, match="share"):
        it.submit(job("more", 4.0, client="greedy"), 0.0)
    assert failures(it) == []


def test_a_deadline_that_cannot_be_met_is_refused_at_once() -> None:
    it = scheduler(size=1)
    it.speed.observe(1.0)
    for n in range(5):
        it.submit(job(f"j{n}", max_wait_s=60.0), 0.0)
    with pytest.raises(Overloaded) as caught:
        it.submit(job("late", max_wait_s=20.0), 0.0)
    assert (
        caught.value.retry_after_s == 35
    )  # 35 s ahead and 7 s for the job, with margin 55, less 20 s
    it.submit(job("patient", max_wait_s=55.0), 0.0)


def test_room_that_would_be_used_too_late_is_refused_at_once() -> None:
    it = scheduler(size=1)
    it.speed.observe(1.0)
    it.submit(job("ahead"), 0.0)
    with pytest.raises(Overloaded, match="deadline"):
        it.reserve(
            ReservationRequest(ClientId("anonymous"), 5.0, max_wait_s=22.0), 0.0
        )  # 7 and 10 s, with margin
    it.reserve(ReservationRequest(ClientId("anonymous"), 5.0, max_wait_s=22.2), 0.0)


def test_what_a_batch_took_is_how_fast_a_worker_is() -> None:
    it = scheduler(size=1)
    it.submit(job("a"), 0.0)
    it.submit(job("b"), 0.0)
    it.next_batch("w1", 10.0)
    it.batch_done("w1", 17.0)
    assert it.speed.seconds_per_load == pytest.approx(0.5)


def test_another_keys_backlog_counts_only_as_turns() -> None:
    it = scheduler(size=1)
    it.speed.observe(1.0)
    for n in range(10):
        it.submit(job(f"g{n}", client="greedy"), 0.0)
    it.submit(job("m", client="modest", max_wait_s=18.0), 0.0)


def test_with_nothing_ahead_a_slow_job_is_tried() -> None:
    it = scheduler()
    it.speed.observe(100.0)
    it.submit(job("a", max_wait_s=1.0), 0.0)


def test_an_idle_worker_is_given_work_however_slow_the_machine_was_measured() -> None:
    it = scheduler(size=2, queue_audio_s=10, queue_jobs=2, key_share=0.5)
    it.speed.observe(1000.0)
    it.submit(job("long", 20.0, client="a", max_wait_s=5.0), 0.0)
    it.next_batch("w1", 0.0)
    room = it.reserve(
        ReservationRequest(ClientId("a"), 30.0, max_wait_s=5.0), 0.0
    )  # the other worker is idle
    with pytest.raises(Overloaded, match="deadline"):  # but now it is spoken for
        it.submit(job("late", 1.0, client="b", max_wait_s=5.0), 0.0)
    it.admission.release(room)
    it.submit(job("soon", 30.0, client="a", max_wait_s=5.0), 0.0)
    assert run_next(it, "w2") == ["soon"]
    assert it.counters.refused == 1


def test_files_that_may_not_run_yet_keep_nobody_from_an_idle_worker() -> None:
    it = scheduler(size=2, queue_audio_s=10)
    it.submit(job("file", 5.0, JobKind.FILE), 0.0)
    it.next_batch("w1", 0.0)
    it.submit(job("rest", 5.0, JobKind.FILE), 0.0)
    assert it.next_batch("w2", 0.0) is None
    it.submit(job("urgent", 9.0), 0.0)
    assert run_next(it, "w2") == ["urgent"]


def test_a_session_needs_room_though_a_worker_is_idle_for_it_comes_to_stay() -> None:
    it = scheduler(size=2, queue_audio_s=20)
    it.speed.observe(1000.0)
    it.reserve(ReservationRequest(ClientId("a"), 15.0, standing=True), 0.0)
    with pytest.raises(Overloaded, match="the queue is full"):
        it.reserve(ReservationRequest(ClientId("a"), 15.0, standing=True), 0.0)


def test_no_wait_is_too_long_to_be_told() -> None:
    assert whole_seconds(math.inf) == MAX_RETRY_AFTER_S
    assert whole_seconds(-1.0) == 1


# Reservations.


def test_reserved_room_is_taken_from_the_others_and_kept_for_its_owner() -> None:
    it = scheduler(queue_audio_s=10)
    room = it.reserve(ReservationRequest(ClientId("a"), 6.0), 0.0)
    it.submit(job("b", 4.0), 0.0)
    with pytest.raises(Overloaded):
        it.submit(job("c", 1.0), 0.0)
    it.submit(job("mine", 9.0, reservation=room), 0.0)  # longer than thought: still taken
    assert it.admission.reserved_audio_s == 0.0


def test_a_released_reservation_frees_its_room() -> None:
    it = scheduler(size=1, queue_audio_s=10)
    room = it.reserve(ReservationRequest(ClientId("a"), 10.0), 0.0)
    with pytest.raises(Overloaded):
        it.reserve(ReservationRequest(ClientId("a"), 1.0), 0.0)
    it.admission.release(room)
    it.admission.release(room)
    it.reserve(ReservationRequest(ClientId("a"), 10.0), 0.0)


def test_a_standing_reservation_serves_each_of_its_finals() -> None:
    it = scheduler(queue_audio_s=40, batch=1)
    room = it.reserve(ReservationRequest(ClientId("a"), 25.0, standing=True), 0.0)
    for n in range(3):
        it.submit(job(f"f{n}", 20.0, reservation=room), 0.0)
        run_next(it)
    assert it.admission.reserved_audio_s == 25.0


def test_a_session_can_always_let_one_final_wait_however_long_and_full_the_queue() -> None:
    it = scheduler(queue_audio_s=40, batch=1)
    room = it.reserve(ReservationRequest(ClientId("anonymous"), 5.0, standing=True), 0.0)
    it.submit(job("other", 35.0), 0.0)
    it.submit(job("f0", 25.0, reservation=room), 0.0)
    with pytest.raises(Overloaded):
        it.submit(job("f1", 1.0, reservation=room), 0.0)
    while run_next(it):
        pass
    it.submit(job("f1", 1.0, reservation=room), 0.0)
    it.submit(job("f2", 4.0, reservation=room), 0.0)


def test_what_exceeds_a_standing_reservation_counts_like_any_other() -> None:
    it = scheduler(queue_audio_s=100)
    room = it.reserve(ReservationRequest(ClientId("anonymous"), 20.0, standing=True), 0.0)
    for n in range(5):
        it.submit(job(f"f{n}", 20.0, reservation=room), 0.0)
    with pytest.raises(Overloaded):
        it.submit(job("more", 20.0, reservation=room), 0.0)


def test_resumed_sessions_are_let_in_before_new_ones() -> None:
    it = scheduler(queue_audio_s=100)
    it.reserve(ReservationRequest(ClientId("anonymous"), 80.0, standing=True), 0.0)
    with pytest.raises(Overloaded):
        it.reserve(ReservationRequest(ClientId("anonymous"), 20.0, standing=True), 0.0)
    it.reserve(ReservationRequest(ClientId("anonymous"), 20.0, standing=True, resumed=True), 0.0)


# Deaths.


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


def test_the_same_death_alone_twice_convicts_and_refuses_the_audio() -> None:
    it = scheduler()
    poison = job("poison")
    it.submit(poison, 0.0)
    it.next_batch("w1", 0.0)
    it.worker_died("w1", SEGV, 1.0)
    it.next_batch("w1", 2.0)
    it.worker_died("w1", SEGV, 3.0)
    assert failures(it) == [("poison", PoisonJob)]
    with pytest.raises(PoisonJob):
        it.submit(Job(JobId("again"), poison.pcm.copy()), 4.0)
    with pytest.raises(PoisonJob):
        it.submit(Job(JobId("again"), poison.pcm.copy()), 5.0)
    assert (it.counters.poison, it.counters.refused) == (1, 2)
    it.submit(Job(JobId("after"), poison.pcm.copy()), 4.0 + 600.0)


def test_a_death_in_company_is_nobodys_fault() -> None:
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


def test_a_suspect_that_waits_keeps_nobody_less_urgent_waiting() -> None:
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


def test_a_suspect_does_not_wait_for_ever_for_a_worker_that_never_comes() -> None:
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


def test_who_left_takes_nobody_along_when_their_worker_dies() -> None:
    it = scheduler(size=1, batch=3)
    tickets = [it.submit(job(name), 0.0) for name in "abc"]
    it.next_batch("w1", 0.0)
    it.cancel(tickets[2])
    it.worker_died("w1", SEGV, 1.0)
    assert [run_next(it) for _ in range(3)] == [["a"], ["b"], []]


def test_audio_has_a_clean_record_once_its_conviction_is_over() -> None:
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


def test_one_conviction_ends_all_jobs_of_that_audio() -> None:
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


def test_without_keys_nobody_is_shut_out_for_anothers_audio() -> None:
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


def test_those_who_hang_up_are_not_blamed_for_each_other() -> None:
    it = scheduler()
    jobs = [job("a"), job("b")]
    for each in jobs:
        ticket = it.submit(each, 0.0)
        it.next_batch("w1", 0.0)
        it.cancel(ticket)
        it.worker_died("w1", SEGV, 1.0)
    for each in jobs:
        it.submit(Job(JobId("again"), each.pcm.copy()), 2.0)


def test_an_utterance_that_got_through_is_guessed_at_again() -> None:
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


def test_a_second_attempt_has_twice_the_budget() -> None:
    it = scheduler()
    it.submit(job("a"), 0.0)
    first = it.next_batch("w1", 0.0)
    it.worker_died("w1", None, 1.0)
    second = it.next_batch("w1", 1.0)
    assert first is not None
    assert second is not None
    assert second.budget_s == 2 * first.budget_s


# Deadlines and callers that leave.


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
