"""Admission: what is accepted, what is shed for it, and the retry time."""

from dataclasses import replace

import numpy as np
import pytest

from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import CostModel
from auricle.values.errors import Overloaded
from auricle.values.types import ANONYMOUS, ClientId, Job, JobId, JobKind, ReservationRequest
from auricle.workers.kinds.asr.admission import Admission
from auricle.workers.kinds.asr.backlog import Backlog, Batch, Ticket
from auricle.workers.kinds.asr.speed import Speed, Workers

pytestmark = pytest.mark.unit

A, B = ClientId("a"), ClientId("b")


class Desk:
    """An admission, and the backlog that it looks at; a second of load takes a second."""

    def __init__(self, ready: int = 1, uncapped: ClientId | None = None, **queue: float) -> None:
        self.backlog = Backlog()
        self.speed = Speed(10, 8, Workers(ready, ready=ready), CostModel())
        self.speed.observe(1.0)
        self.it = Admission(
            QueueSettings.model_validate({"key_share": 1.0, "queue_audio_s": 300} | queue),
            self.backlog,
            self.speed,
            uncapped,
        )

    def ticket(
        self,
        seconds: float,
        client: ClientId = A,
        kind: JobKind = JobKind.FINAL,
        room: str | None = None,
        *,
        upstream: bool = False,
    ) -> Ticket:
        pcm = np.ones(round(16_000 * seconds), np.int16)
        job = Job(JobId("j"), pcm, kind=kind, client=client, reservation=room)
        return Ticket(replace(job, admitted_upstream=upstream), 0.0, 0.0)

    def wait(
        self,
        seconds: float,
        client: ClientId = A,
        kind: JobKind = JobKind.FINAL,
        room: str | None = None,
        *,
        upstream: bool = False,
    ) -> Ticket:
        ticket = self.ticket(seconds, client, kind, room, upstream=upstream)
        self.backlog.queues[kind].push(ticket)
        return ticket

    def claim(self, seconds: float, room: str | None = None, *, upstream: bool = False) -> bool:
        return self.it.claim(self.ticket(seconds, room=room, upstream=upstream).job)

    def reserve(self, seconds: float, client: ClientId = A, *, standing: bool = False) -> str:
        return self.it.keep(ReservationRequest(client, seconds, standing=standing))

    def run(self, *tickets: Ticket) -> None:
        self.backlog.running[f"w{len(self.backlog.running) + 1}"] = Batch(tickets, 1.0)

    def to_shed(self, client: ClientId, seconds: float) -> list[Ticket]:
        return self.it.to_shed(ReservationRequest(client, seconds))

    def make_room(
        self,
        client: ClientId,
        seconds: float,
        kind: JobKind = JobKind.FINAL,
        *,
        standing: bool = False,
        max_wait_s: float | None = None,
    ) -> list[Ticket]:
        request = ReservationRequest(client, seconds, max_wait_s, standing=standing)
        return self.it.make_room(request, kind)

    def refuse_late(
        self, client: ClientId, kind: JobKind, load_s: float, max_wait_s: float | None
    ) -> None:
        request = ReservationRequest(client, load_s - CostModel().job_overhead_s, max_wait_s)
        self.it.refuse_late(request, kind)

    def refusal_s(self, client: ClientId, kind: JobKind, load_s: float, max_wait_s: float) -> int:
        with pytest.raises(Overloaded) as caught:
            self.refuse_late(client, kind, load_s, max_wait_s)
        assert str(caught.value) == (
            f"The expected wait is longer than the deadline of this request, {max_wait_s:g} s."
        )
        return caught.value.retry_after_s


def test_partials_of_others_make_room_after_the_clients_own() -> None:
    desk = Desk(queue_audio_s=20, key_share=0.6)
    desk.wait(8, B)
    theirs = desk.wait(4, B, JobKind.SPECULATIVE)
    desk.wait(5, A)
    ours = desk.wait(3, A, JobKind.PARTIAL)
    assert desk.to_shed(A, 3.0) == [theirs]
    assert desk.to_shed(A, 6.0) == [ours, theirs]


def test_no_more_is_shed_than_is_needed_and_the_newest_partial_goes_first() -> None:
    desk = Desk(queue_audio_s=20)
    partial = desk.wait(5, A, JobKind.PARTIAL)
    desk.wait(5, A, JobKind.SPECULATIVE)
    newest = desk.wait(5, B, JobKind.SPECULATIVE)
    assert desk.to_shed(A, 5.0) == []
    assert desk.to_shed(A, 5.1) == [newest]
    assert desk.to_shed(ANONYMOUS, 20.0)[-1] is partial


def test_partials_make_room_where_jobs_are_too_many() -> None:
    desk = Desk(queue_jobs=4, key_share=0.5)
    first, second = (desk.wait(1, A, JobKind.PARTIAL) for _ in range(2))
    others = [desk.wait(1, B, JobKind.SPECULATIVE) for _ in range(2)]
    assert desk.to_shed(A, 1.0) == [second]
    assert desk.to_shed(ANONYMOUS, 1.0) == [others[1]]
    desk.reserve(1.0, A)
    assert desk.to_shed(A, 1.0) == [second, first]


def test_a_key_alone_may_use_the_whole_queue() -> None:
    desk = Desk(queue_audio_s=20, queue_jobs=4, key_share=0.5)
    desk.wait(12, A)
    desk.reserve(3.0, A)
    assert desk.to_shed(A, 5.0) == []
    with pytest.raises(Overloaded, match="share"):
        desk.to_shed(A, 5.1)
    desk.wait(1, A)
    desk.wait(1, A)
    with pytest.raises(Overloaded, match="share"):
        desk.to_shed(A, 1.0)


@pytest.mark.parametrize("how", ["waits", "runs", "is reserved"])
def test_a_key_has_its_share_while_others_have_work(how: str) -> None:
    desk = Desk(queue_audio_s=20, key_share=0.5)
    desk.wait(8, A)
    assert desk.to_shed(A, 12.0) == []
    match how:
        case "waits":
            desk.wait(1, B)
        case "runs":
            desk.run(desk.ticket(1, B))
        case _:
            desk.reserve(1.0, B)
    assert desk.to_shed(A, 2.0) == []
    with pytest.raises(Overloaded, match="share"):
        desk.to_shed(A, 2.1)


def test_the_first_job_of_a_key_may_be_longer_than_its_share() -> None:
    desk = Desk(queue_audio_s=20, key_share=0.5)
    desk.wait(5, B)
    assert desk.to_shed(A, 15.0) == []
    with pytest.raises(Overloaded, match="^The queue is full;"):
        desk.to_shed(A, 15.1)


def test_what_a_key_has_counts_for_others_with_at_most_its_share() -> None:
    desk = Desk(queue_audio_s=20, queue_jobs=10, key_share=0.6)
    desk.reserve(15.0, A)
    desk.wait(5, A)
    assert desk.to_shed(B, 8.0) == []
    with pytest.raises(Overloaded, match="^The queue is full;"):
        desk.to_shed(B, 8.1)
    for _ in range(8):
        desk.reserve(0.0, A)
    for _ in range(3):
        assert desk.to_shed(B, 1.0) == []
        desk.wait(1, B)
    desk.wait(0.1, B)  # 4 jobs, and 6 of the 10 of the other
    with pytest.raises(Overloaded, match="^The queue is full;"):
        desk.to_shed(B, 0.1)


def test_what_an_uncapped_client_has_counts_for_others_in_full() -> None:
    desk = Desk(queue_audio_s=20, queue_jobs=10, key_share=0.5, uncapped=B)
    desk.wait(1, ClientId("c"))
    assert desk.to_shed(A, 10.0) == []
    desk.reserve(15.0, B)
    assert desk.to_shed(A, 4.0) == []
    with pytest.raises(Overloaded, match="^The queue is full;"):
        desk.to_shed(A, 4.1)
    for _ in range(7):
        desk.reserve(0.0, B)
    assert desk.to_shed(A, 1.0) == []
    desk.reserve(0.0, B)
    with pytest.raises(Overloaded, match="^The queue is full;"):
        desk.to_shed(A, 1.0)


def test_a_standing_reservation_takes_no_room_and_what_waits_for_it_does() -> None:
    desk = Desk(queue_audio_s=30, queue_jobs=2)
    room = desk.reserve(30.0, A, standing=True)
    assert desk.to_shed(B, 30.0) == []
    desk.wait(8, A, room=room)
    assert desk.to_shed(B, 22.0) == []
    with pytest.raises(Overloaded, match="queue is full"):
        desk.to_shed(B, 22.1)
    desk.wait(1, A, room=room)
    with pytest.raises(Overloaded, match="queue is full"):
        desk.to_shed(B, 1.0)


def test_a_standing_reservation_of_others_leaves_a_key_alone() -> None:
    desk = Desk(queue_audio_s=20, key_share=0.5)
    desk.reserve(5.0, B, standing=True)
    desk.wait(15, A)
    assert desk.to_shed(A, 5.0) == []


def test_a_live_session_is_admitted_however_full_the_queue() -> None:
    desk = Desk(queue_audio_s=10)
    desk.wait(10, A)
    desk.wait(1, A, JobKind.PARTIAL)
    assert desk.make_room(A, 30.0, standing=True, max_wait_s=0.1) == []


def test_an_idle_worker_takes_any_job_of_a_key_that_has_no_other_work() -> None:
    desk = Desk(queue_audio_s=10, key_share=0.6, ready=2)
    desk.speed.observe(1000.0)
    desk.reserve(10.0, A)
    desk.reserve(10.0, A)  # what others have only reserved may never come
    assert desk.make_room(B, 30.0, max_wait_s=0.1) == []
    desk.run(desk.ticket(5, A))
    assert desk.make_room(B, 30.0, max_wait_s=0.1) == []
    desk.run(desk.ticket(5, A))
    with pytest.raises(Overloaded, match="deadline"):
        desk.make_room(B, 30.0, max_wait_s=0.1)
    with pytest.raises(Overloaded, match="queue is full"):
        desk.make_room(B, 30.0)


@pytest.mark.parametrize("how", ["waits", "runs", "is reserved"])
def test_an_idle_worker_takes_a_job_of_a_key_with_other_work_only_within_its_share(
    how: str,
) -> None:
    desk = Desk(queue_audio_s=10, key_share=0.6, ready=4)
    desk.reserve(1.0, B)
    desk.reserve(1.0, A, standing=True)  # which is no work
    assert desk.make_room(A, 30.0) == []
    match how:
        case "waits":
            desk.wait(4, A)
        case "runs":
            desk.run(desk.ticket(4, A))
            desk.wait(4, A)
        case _:
            desk.reserve(4.0, A)
    assert desk.make_room(A, 2.0) == []
    with pytest.raises(Overloaded, match="share"):
        desk.make_room(A, 2.1)


def test_a_worker_is_idle_for_a_key_if_there_are_fewer_jobs_ahead_than_workers() -> None:
    desk = Desk(ready=3)
    desk.run(desk.ticket(1, B))
    desk.wait(1, B, JobKind.FILE)  # less urgent
    desk.reserve(1.0, B)
    desk.reserve(1.0, A, standing=True)
    desk.wait(1, B)
    assert desk.it.has_idle_worker(A, JobKind.FINAL)
    assert not desk.it.has_idle_worker(A, JobKind.FILE)
    assert not desk.it.has_idle_worker(B, JobKind.FINAL)
    desk.reserve(1.0, A)
    assert not desk.it.has_idle_worker(A, JobKind.FINAL)


def test_too_many_files_are_refused_though_a_worker_is_idle() -> None:
    desk = Desk(queue_audio_s=20, ready=4)
    desk.wait(10, A, JobKind.FILE)
    assert desk.make_room(B, 1.0) == []
    with pytest.raises(Overloaded, match="files"):
        desk.make_room(B, 1.0, JobKind.FILE)


def test_however_little_waits_the_bound_holds_and_an_empty_queue_takes_anything() -> None:
    desk = Desk(queue_audio_s=2, queue_jobs=1, key_share=0.5)
    assert desk.to_shed(A, 30.0) == []
    desk.wait(0.5, A)
    for client, why in (
        (A, r"^This key's share of the queue is full; try again later\.$"),
        (B, r"^The queue is full; try again later\.$"),
    ):
        with pytest.raises(Overloaded, match=why):
            desk.to_shed(client, 30.0)


def test_a_share_is_counted_for_each_key_and_none_without_a_key() -> None:
    desk = Desk(queue_audio_s=20, queue_jobs=10, key_share=0.5)
    desk.wait(10, A)
    desk.wait(5, ANONYMOUS)
    with pytest.raises(Overloaded, match="share"):
        desk.to_shed(A, 0.1)
    desk.to_shed(B, 5.0)
    desk.to_shed(ANONYMOUS, 5.0)
    with pytest.raises(Overloaded, match="^The queue is full;"):
        desk.to_shed(ANONYMOUS, 5.1)


def test_jobs_without_a_key_may_use_the_whole_queue_beside_others() -> None:
    desk = Desk(queue_audio_s=20, queue_jobs=4, key_share=0.5)
    desk.wait(5, A)
    desk.wait(8, ANONYMOUS)
    desk.wait(1, ANONYMOUS)
    assert desk.to_shed(ANONYMOUS, 6.0) == []
    with pytest.raises(Overloaded, match="^The queue is full;"):
        desk.to_shed(ANONYMOUS, 6.1)


def test_a_reserved_job_takes_a_place_until_it_waits() -> None:
    desk = Desk(queue_jobs=2)
    room = desk.reserve(5.0, A)
    desk.wait(1, B)
    with pytest.raises(Overloaded, match="queue is full"):
        desk.to_shed(B, 1.0)
    assert desk.claim(9.0, room)
    assert not desk.claim(9.0, room)
    assert desk.to_shed(B, 1.0) == []


def test_jobs_of_a_standing_reservation_always_fit() -> None:
    desk = Desk(queue_audio_s=10)
    room = desk.reserve(5.0, A, standing=True)
    desk.wait(10, B)
    for _ in range(3):
        assert desk.claim(30.0, room)
        desk.wait(30, A, room=room)


def test_ones_own_room_is_ahead_as_well() -> None:
    desk = Desk()
    desk.reserve(5.0, A)
    assert desk.refusal_s(A, JobKind.FINAL, 10.0, 25.0) == 1  # 10 and 10 s, with margin 26


def test_no_name_and_unknown_names_claim_nothing() -> None:
    desk = Desk()
    assert not desk.claim(1.0, None)
    assert not desk.claim(1.0, "r7")


def test_files_may_fill_half_of_the_queue_to_the_edge() -> None:
    desk = Desk(queue_audio_s=20)
    desk.it.refuse_full_of_files(50.0)  # the first may be however long
    desk.wait(0.5, A, JobKind.FILE)
    with pytest.raises(Overloaded):
        desk.it.refuse_full_of_files(9.6)
    desk.wait(5.5, A, JobKind.FILE)
    desk.it.refuse_full_of_files(4.0)
    with pytest.raises(Overloaded) as caught:
        desk.it.refuse_full_of_files(4.1)
    assert str(caught.value) == "The part of the queue for files is full; try again later."
    assert caught.value.retry_after_s == 16  # 6 s and the overhead of two


def test_a_refusal_says_when_the_queue_will_be_empty() -> None:
    desk = Desk(queue_audio_s=20, ready=2)
    desk.wait(5, A, JobKind.FILE)
    desk.wait(15, B)
    desk.reserve(3.0, A)
    desk.reserve(30.0, A, standing=True)
    desk.run(desk.ticket(7))
    with pytest.raises(Overloaded) as caught:
        desk.to_shed(B, 1.0)
    # 10 s, 20 s and 8 s of load, and half of 12 s that run, by two workers.
    assert caught.value.retry_after_s == 22


def test_a_wait_counts_what_is_as_urgent_and_turns_with_others() -> None:
    desk = Desk()
    desk.wait(5, A)  # 10 s of load
    desk.wait(5, A, JobKind.FILE)  # less urgent
    assert desk.refusal_s(A, JobKind.FINAL, 10.0, 25.0) == 1  # 20 s, with margin 26
    desk.refuse_late(A, JobKind.FINAL, 10.0, 26.0)
    assert desk.refusal_s(A, JobKind.FILE, 10.0, 26.0) == 13
    for _ in range(9):
        desk.wait(5, B)
    assert desk.refusal_s(A, JobKind.FINAL, 10.0, 32.5) == 13  # 15 s of the other's 90
    desk.reserve(5.0, A, standing=True)
    assert desk.refusal_s(A, JobKind.FINAL, 10.0, 32.5) == 13
    desk.reserve(5.0, A)
    assert desk.refusal_s(A, JobKind.FINAL, 10.0, 32.5) == 39  # 20 s ahead, 25 of the other's


def test_half_of_what_runs_is_still_ahead() -> None:
    desk = Desk()
    desk.run(desk.ticket(15), desk.ticket(5))
    assert desk.refusal_s(A, JobKind.FINAL, 5.0, 20.0) == 6  # 20 s, with margin 26
    desk.refuse_late(A, JobKind.FINAL, 5.0, 26.0)
    desk.refuse_late(A, JobKind.FINAL, 5.0, None)


def test_a_short_wait_that_is_too_long_is_refused_as_well() -> None:
    desk = Desk()
    desk.speed.seconds_per_load = 0.01
    desk.wait(5, A)
    assert desk.refusal_s(A, JobKind.FINAL, 10.0, 0.2) == 1  # 0.2 s, with margin 0.26


def test_nothing_is_too_late_when_nothing_is_ahead() -> None:
    Desk().refuse_late(A, JobKind.FINAL, 100.0, 0.1)


def test_released_room_is_gone_and_may_be_released_again() -> None:
    desk = Desk()
    room, other = desk.reserve(5.0, A, standing=True), desk.reserve(7.0, A)
    assert room != other
    assert desk.it.reserved_audio_s == 12.0
    desk.it.release(room)
    desk.it.release(room)
    assert desk.it.reserved_audio_s == 7.0


def test_jobs_admitted_upstream_may_fill_up_to_twice_the_queue() -> None:
    desk = Desk(queue_audio_s=20, queue_jobs=100)
    desk.wait(20)
    assert desk.claim(20.0, upstream=True)
    assert not desk.claim(20.1, upstream=True)
    desk.wait(20, upstream=True)
    assert not desk.claim(0.1, upstream=True)


def test_jobs_admitted_upstream_leave_room_to_what_others_have() -> None:
    desk = Desk(queue_audio_s=20, key_share=0.5)
    desk.wait(10, B)
    assert desk.claim(30.0, upstream=True)
    desk.wait(1)
    assert desk.claim(29.0, upstream=True)
    assert not desk.claim(29.1, upstream=True)


def test_jobs_admitted_upstream_may_fill_up_to_twice_the_jobs() -> None:
    desk = Desk(queue_audio_s=1000, queue_jobs=2)
    for _ in range(3):
        desk.wait(1, upstream=True)
    assert desk.claim(1.0, upstream=True)
    desk.wait(1, upstream=True)
    assert not desk.claim(1.0, upstream=True)


def test_what_was_admitted_upstream_takes_room_from_all_others() -> None:
    desk = Desk(queue_audio_s=20)
    desk.wait(18, upstream=True)
    assert desk.to_shed(B, 2.0) == []
    with pytest.raises(Overloaded):
        desk.to_shed(B, 3.0)
