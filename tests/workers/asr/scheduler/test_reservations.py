"""Reservations of sessions, kept and released."""

import pytest

from auricle.errors import Overloaded
from auricle.types import ClientId, ReservationRequest
from tests.workers.asr.scheduler.helpers import job, run_next, scheduler

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


def test_resumed_sessions_are_admitted_before_new_ones() -> None:
    it = scheduler(queue_audio_s=100)
    it.reserve(ReservationRequest(ClientId("anonymous"), 80.0, standing=True), 0.0)
    with pytest.raises(Overloaded):
        it.reserve(ReservationRequest(ClientId("anonymous"), 20.0, standing=True), 0.0)
    it.reserve(ReservationRequest(ClientId("anonymous"), 20.0, standing=True, resumed=True), 0.0)
