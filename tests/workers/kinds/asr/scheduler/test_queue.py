"""The queue: limits, shares, deadlines and expected waits."""

import math
from dataclasses import replace

import pytest

from auricle.values.errors import Overloaded, Superseded
from auricle.values.transcriber import QueueStats
from auricle.values.types import ClientId, Job, JobId, JobKind, Options, ReservationRequest
from auricle.workers.kinds.asr.speed import MAX_RETRY_AFTER_S, whole_seconds
from tests.workers.kinds.asr.scheduler.helpers import failures, job, run_next, scheduler

pytestmark = pytest.mark.unit


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


def test_a_key_may_fill_only_its_share_beside_others() -> None:
    it = scheduler(size=1, queue_audio_s=20, key_share=0.5)
    it.submit(job("a", 7.0, client="greedy"), 0.0)
    it.submit(job("b", 9.0, client="modest"), 0.0)
    it.submit(job("c", 3.0, client="greedy"), 0.0)
    with pytest.raises(Overloaded, match="share"):
        it.submit(job("d", 0.1, client="greedy"), 0.0)
    it.submit(job("e", 1.0, client="modest"), 0.0)


def test_a_key_alone_may_fill_the_queue_and_leaves_others_the_rest_of_its_share() -> None:
    it = scheduler(size=1, queue_audio_s=20, key_share=0.6)
    for n in range(4):
        it.submit(job(f"g{n}", 5.0, client="greedy"), 0.0)
    with pytest.raises(Overloaded, match="share"):
        it.submit(job("more", 0.1, client="greedy"), 0.0)
    it.submit(job("m", 8.0, client="modest"), 0.0)
    with pytest.raises(Overloaded, match="queue is full"):
        it.submit(job("more", 0.1, client="modest"), 0.0)


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


def test_a_key_may_fill_only_its_share_of_the_jobs_beside_others() -> None:
    it = scheduler(queue_jobs=10, key_share=0.5)
    it.submit(job("m", 0.1, client="modest"), 0.0)
    for n in range(5):
        it.submit(job(f"g{n}", 0.1, client="greedy"), 0.0)
    with pytest.raises(Overloaded, match="share"):
        it.reserve(ReservationRequest(ClientId("greedy"), 0.1), 0.0)
    it.submit(job("m2", 0.1, client="modest"), 0.0)


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
    request = ReservationRequest(ClientId("b"), 30.0, max_wait_s=5.0)
    room = it.reserve(request, 0.0)  # the other worker is idle
    with pytest.raises(Overloaded, match="deadline"):  # but now it is reserved
        it.submit(job("late", 1.0, client="b", max_wait_s=5.0), 0.0)
    it.admission.release(room)
    it.submit(job("soon", 30.0, client="b", max_wait_s=5.0), 0.0)
    assert run_next(it, "w2") == ["soon"]
    assert it.counters.refused == 1


def test_what_others_have_reserved_keeps_no_job_from_an_idle_worker() -> None:
    it = scheduler(size=1, queue_audio_s=10)
    it.reserve(ReservationRequest(ClientId("a"), 30.0), 0.0)
    it.submit(job("now", 30.0, client="b", max_wait_s=1.0), 0.0)
    assert run_next(it) == ["now"]


def test_an_idle_worker_takes_no_job_of_a_key_that_has_reserved_its_share() -> None:
    it = scheduler(size=3, queue_audio_s=10, key_share=0.6)
    it.reserve(ReservationRequest(ClientId("b"), 1.0), 0.0)
    it.reserve(ReservationRequest(ClientId("a"), 6.0), 0.0)
    with pytest.raises(Overloaded, match="share"):
        it.submit(job("more", 0.1, client="a"), 0.0)
    assert it.counters.refused == 1


def test_files_that_may_not_run_yet_keep_no_job_from_an_idle_worker() -> None:
    it = scheduler(size=2, queue_audio_s=10)
    it.submit(job("file", 5.0, JobKind.FILE), 0.0)
    it.next_batch("w1", 0.0)
    it.submit(job("rest", 5.0, JobKind.FILE), 0.0)
    assert it.next_batch("w2", 0.0) is None
    it.submit(job("urgent", 9.0, client="other"), 0.0)
    assert run_next(it, "w2") == ["urgent"]


@pytest.mark.parametrize("is_same_audio", [True, False])
def test_a_final_replaces_the_waiting_speculative_job_of_its_utterance(is_same_audio: bool) -> None:
    it = scheduler(size=1)
    early = job("s", 3.0, JobKind.SPECULATIVE, utterance="s/1")
    it.submit(early, 0.0)
    pcm = early.pcm if is_same_audio else early.pcm[:-1]
    final = replace(early, id=JobId("f"), kind=JobKind.FINAL, pcm=pcm)
    it.submit(job("p", 1.0, JobKind.PARTIAL, utterance="s/1"), 0.0)
    it.submit(final, 0.0)
    assert failures(it) == [("s", Superseded)]
    assert [run_next(it) for _ in range(3)] == [["f"], ["p"], []]


def test_other_jobs_leave_the_waiting_speculative_job_of_an_utterance() -> None:
    it = scheduler(size=1)
    early = job("s", utterance="s/1", kind=JobKind.SPECULATIVE)
    it.submit(early, 0.0)
    it.submit(replace(early, id=JobId("c"), kind=JobKind.FILE), 0.0)
    it.submit(replace(early, id=JobId("o"), kind=JobKind.FINAL, utterance="s/2"), 0.0)
    it.submit(replace(early, id=JobId("b"), kind=JobKind.FINAL, client=ClientId("b")), 0.0)
    assert failures(it) == []


def test_a_final_leaves_the_running_speculative_job_of_its_utterance() -> None:
    it = scheduler(size=1)
    early = job("s", utterance="s/1", kind=JobKind.SPECULATIVE)
    ticket = it.submit(early, 0.0)
    it.next_batch("w1", 0.0)
    it.submit(replace(early, id=JobId("f"), kind=JobKind.FINAL), 0.0)
    assert failures(it) == []
    it.batch_done("w1", 0.1)
    assert it.settle(ticket)


def test_no_wait_is_too_long_to_be_reported() -> None:
    assert whole_seconds(math.inf) == MAX_RETRY_AFTER_S
    assert whole_seconds(-1.0) == 1


def test_a_final_finds_the_running_speculative_job_of_the_same_audio_and_options() -> None:
    it = scheduler()
    early = job("s", 3.0, JobKind.SPECULATIVE, utterance="s/1")
    ticket = it.submit(early, 0.0)
    final = replace(early, id=JobId("f"), kind=JobKind.FINAL)
    assert it.running_twin(final) is None  # it waits
    assert it.next_batch("w1", 0.0) is not None
    assert it.running_twin(final) is ticket
    others: list[Job] = [
        replace(final, kind=JobKind.FILE),
        replace(final, utterance="s/2"),
        replace(final, options=Options(beam_size=1)),
        replace(final, pcm=final.pcm[:-1]),
    ]
    assert [it.running_twin(other) for other in others] == [None] * 4
    it.cancel(ticket)
    assert it.running_twin(final) is None


def test_the_queue_reports_what_waits_what_runs_and_what_is_reserved() -> None:
    it = scheduler(queue_audio_s=100)
    assert it.stats() == QueueStats(max_audio_s=100)
    it.submit(job("running", 2.0), 0.0)
    assert it.next_batch("w1", 0.0)
    for waiting in (
        job("final", 4.0),
        job("file", 8.0, JobKind.FILE),
        job("another file", 16.0, JobKind.FILE),
    ):
        it.submit(waiting, 0.0)
    it.reserve(ReservationRequest(ClientId("a"), 32.0), 0.0)
    assert it.stats() == QueueStats(
        waiting_jobs=3,
        running_jobs=1,
        waiting_audio_s=28.0,
        running_audio_s=2.0,
        waiting_file_jobs=2,
        waiting_file_audio_s=24.0,
        max_audio_s=100,
        reserved_audio_s=32.0,
    )
