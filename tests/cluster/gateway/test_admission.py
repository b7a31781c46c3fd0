import numpy as np
import pytest

from auricle.cluster.gateway.admission import GatewayAdmission
from auricle.cluster.gateway.view import ModelCapacity
from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import CostModel
from auricle.values.errors import Overloaded
from auricle.values.transcriber import QueueStats
from auricle.values.types import ANONYMOUS, ClientId, Job, JobId, JobKind, ReservationRequest

pytestmark = pytest.mark.unit

ALICE = ClientId("alice")


def job(
    seconds: float = 1.0,
    kind: JobKind = JobKind.FINAL,
    reservation: str | None = None,
    utterance: str = "",
    client: ClientId = ANONYMOUS,
) -> Job:
    return Job(
        JobId("a"),
        np.ones(int(seconds * 16_000), np.int16),
        kind=kind,
        reservation=reservation,
        utterance=utterance,
        client=client,
    )


def fleet(workers: int, *, seconds_per_audio_s: float = 0.0, **queue: float) -> ModelCapacity:
    known = QueueStats(**queue)  # type: ignore[arg-type]  # all of them are numbers
    return ModelCapacity(workers, seconds_per_audio_s, known)


def books(
    known: ModelCapacity | None = None, *, gateways: int = 1, **settings: float
) -> GatewayAdmission:
    opened = GatewayAdmission(QueueSettings.model_validate(settings), gateways, CostModel())
    opened.update(known or fleet(workers=2, max_audio_s=100.0, seconds_per_audio_s=0.1))
    return opened


def room(
    of: GatewayAdmission, audio_s: float, *, client: ClientId = ANONYMOUS, standing: bool = False
) -> str:
    name, shed = of.reserve(ReservationRequest(client, audio_s, standing=standing))
    assert not shed
    return name


def test_room_is_kept_up_to_what_the_recognisers_have() -> None:
    mine = books()
    room(mine, 60.0)
    with pytest.raises(Overloaded) as caught:
        room(mine, 41.0)
    assert caught.value.retry_after_s >= 1
    room(mine, 40.0)
    assert mine.reserved_audio_s == 100.0


def test_a_gateway_admits_its_part() -> None:
    mine = books(gateways=4)
    room(mine, 25.0)
    with pytest.raises(Overloaded):
        room(mine, 1.0)


def test_a_standing_reservation_is_made_however_full_the_queue_and_takes_no_room() -> None:
    mine = books(fleet(workers=1, max_audio_s=100.0, running_audio_s=9.0, seconds_per_audio_s=9.0))
    room(mine, 99.0)
    request = ReservationRequest(ANONYMOUS, 44.0, max_wait_s=0.1, standing=True)
    assert [mine.reserve(request)[1] for _ in range(3)] == [[]] * 3
    room(mine, 1.0)
    with pytest.raises(Overloaded):
        room(mine, 0.1)


def test_a_key_alone_may_use_all_of_that() -> None:
    mine = books(gateways=2, key_share=0.5)
    room(mine, 20.0, client=ALICE)
    room(mine, 30.0, client=ALICE)
    with pytest.raises(Overloaded, match="share"):
        room(mine, 1.0, client=ALICE)
    room(mine, 25.0, client=ClientId("bob"))
    with pytest.raises(Overloaded, match="queue is full"):
        room(mine, 1.0, client=ClientId("carol"))


def test_a_key_has_its_share_beside_others_here_or_elsewhere() -> None:
    mine = books(key_share=0.5)
    room(mine, 1.0, client=ClientId("bob"))
    room(mine, 50.0, client=ALICE)
    with pytest.raises(Overloaded, match="share"):
        room(mine, 1.0, client=ALICE)
    busy = fleet(workers=2, max_audio_s=100.0, waiting_audio_s=10.0, seconds_per_audio_s=0.1)
    other = books(busy, key_share=0.5)
    room(other, 50.0, client=ALICE)
    with pytest.raises(Overloaded, match="share"):
        room(other, 1.0, client=ALICE)


def test_jobs_of_others_use_shared_room() -> None:
    busy = fleet(workers=2, max_audio_s=100.0, waiting_audio_s=60.0, seconds_per_audio_s=0.1)
    alone = books(busy)
    room(alone, 39.0)
    with pytest.raises(Overloaded):
        room(alone, 2.0)
    room(alone, 1.0)
    assert alone.reserved_audio_s == 40.0  # theirs is not ours
    shared = books(busy, gateways=2)
    room(shared, 40.0)
    with pytest.raises(Overloaded):
        room(shared, 1.0)
    modest = fleet(workers=2, max_audio_s=100.0, waiting_audio_s=20.0, seconds_per_audio_s=0.1)
    beside = books(modest, gateways=2)
    room(beside, 50.0)  # their 20 s are part of their half
    with pytest.raises(Overloaded):
        room(beside, 1.0)


def test_our_own_jobs_are_not_counted_twice() -> None:
    mine = books()
    ticket, _ = mine.open(job(30.0), 0.0)
    mine.update(fleet(workers=2, max_audio_s=100.0, waiting_audio_s=30.0))
    room(mine, 70.0)
    mine.close(ticket)
    mine.update(fleet(workers=2, max_audio_s=100.0, waiting_audio_s=0.0))
    room(mine, 30.0)


def test_what_runs_takes_no_room() -> None:
    mine = books()
    mine.open(job(30.0), 0.0)
    mine.update(fleet(workers=2, max_audio_s=100.0, running_audio_s=30.0))
    room(mine, 100.0)


def test_released_room_is_free_again_and_unknown_names_are_ignored() -> None:
    mine = books()
    name, session = room(mine, 100.0), room(mine, 5.0, standing=True)
    mine.release(session)
    with pytest.raises(Overloaded):
        room(mine, 1.0)
    mine.release(name)
    mine.release(name)
    mine.release("r999")
    assert mine.reserved_audio_s == 0.0
    room(mine, 100.0)


def test_no_client_can_release_the_slots_of_others() -> None:
    mine = books(fleet(workers=2, max_audio_s=100.0, waiting_audio_s=90.0))
    for number in range(10):
        mine.release(f"r{number}")
    with pytest.raises(Overloaded):
        room(mine, 11.0)


def test_a_wait_that_would_be_too_long_is_refused() -> None:
    busy = fleet(workers=1, max_audio_s=900.0, waiting_audio_s=100.0, seconds_per_audio_s=1.0)
    mine = books(busy)
    with pytest.raises(Overloaded):
        mine.reserve(ReservationRequest(ANONYMOUS, 5.0, max_wait_s=5.0))
    mine.reserve(ReservationRequest(ANONYMOUS, 5.0, max_wait_s=500.0))


def test_a_reservation_is_worth_one_job_unless_it_stands() -> None:
    mine = books()
    once, standing = room(mine, 5.0), room(mine, 5.0, standing=True)
    assert [mine.open(job(reservation=once), 0.0)[1] for _ in range(2)] == [True, False]
    assert all(mine.open(job(4.0, reservation=standing), 0.0)[1] for _ in range(5))
    assert mine.has_standing_reservation(job(reservation=standing))
    assert not mine.has_standing_reservation(job(reservation=once))
    assert not mine.has_standing_reservation(job())
    mine.release(standing)
    assert not mine.open(job(reservation=standing), 0.0)[1]


def test_jobs_in_flight_without_a_reservation_are_limited() -> None:
    mine = books(queue_jobs=3)
    standing = room(mine, 5.0, standing=True)
    tickets = [mine.open(job(), 0.0)[0] for _ in range(3)]
    with pytest.raises(Overloaded):
        mine.open(job(), 0.0)
    mine.open(job(reservation=standing), 0.0)
    for ticket in tickets[:2]:
        mine.close(ticket)
    mine.open(job(), 0.0)


def test_partials_make_way_for_room() -> None:
    mine = books()
    guess, _ = mine.open(job(30.0, JobKind.PARTIAL), 0.0)
    early, _ = mine.open(job(30.0, JobKind.SPECULATIVE), 0.0)
    final, _ = mine.open(job(30.0), 0.0)
    _, shed = mine.reserve(ReservationRequest(ANONYMOUS, 20.0))
    assert shed == [early]
    mine.close(early)
    _, shed = mine.reserve(ReservationRequest(ANONYMOUS, 50.0))
    assert shed == [guess]
    mine.close(guess)
    with pytest.raises(Overloaded):
        mine.reserve(ReservationRequest(ANONYMOUS, 1.0))
    mine.close(final)


def test_a_partial_replaces_the_older_one_of_its_utterance_only() -> None:
    mine = books()
    older, _ = mine.open(job(kind=JobKind.PARTIAL, utterance="s/1", client=ALICE), 0.0)
    assert mine.older_partial(job(kind=JobKind.PARTIAL, utterance="s/1", client=ALICE)) is older
    assert mine.older_partial(job(kind=JobKind.PARTIAL, utterance="s/2", client=ALICE)) is None
    assert mine.older_partial(job(kind=JobKind.PARTIAL, utterance="s/1")) is None
    assert mine.older_partial(job(utterance="s/1", client=ALICE)) is None
