"""Reservations of sessions, kept and released."""

import pytest

from auricle.values.errors import Overloaded
from auricle.values.types import ClientId, ReservationRequest
from tests.workers.kinds.asr.scheduler.helpers import failures, job, run_next, scheduler

pytestmark = pytest.mark.unit


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


def test_a_standing_reservation_is_made_in_a_full_queue_and_takes_no_room() -> None:
    it = scheduler(queue_audio_s=10)
    it.submit(job("a", 9.0), 0.0)
    for _ in range(3):
        it.reserve(ReservationRequest(ClientId("anonymous"), 30.0, standing=True), 0.0)
    it.submit(job("b", 1.0), 0.0)
    assert failures(it) == []
    assert it.counters.refused == 0


def test_finals_of_a_standing_reservation_always_fit_and_take_the_room_of_others() -> None:
    it = scheduler(queue_audio_s=40, batch=1)
    room = it.reserve(ReservationRequest(ClientId("anonymous"), 0.0, standing=True), 0.0)
    it.submit(job("other", 35.0), 0.0)
    for n in range(3):
        it.submit(job(f"f{n}", 25.0, reservation=room), 0.0)
    with pytest.raises(Overloaded):
        it.submit(job("more", 0.1), 0.0)
    assert failures(it) == []


def test_a_released_standing_reservation_serves_no_more_finals() -> None:
    it = scheduler(queue_audio_s=10)
    room = it.reserve(ReservationRequest(ClientId("anonymous"), 0.0, standing=True), 0.0)
    it.submit(job("other", 10.0), 0.0)
    it.admission.release(room)
    with pytest.raises(Overloaded):
        it.submit(job("f", 1.0, reservation=room), 0.0)
