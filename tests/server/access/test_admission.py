import contextlib

import pytest

from auricle.errors import NoWorkerReady, Overloaded
from auricle.server.access.admission import (
    FileSlots,
    check_open,
    estimate_json_s,
    estimate_s,
    reserved,
)
from auricle.types import ANONYMOUS, ClientId, ReservationRequest
from tests.support.transcriber import FakeTranscriber

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("size_bytes", "audio_format", "rate_hz", "audio_s"),
    [
        (None, "wav", 16_000, None),
        (0, "pcm16", 16_000, 1.0),
        (320_000, "pcm16", 16_000, 10.0),
        (320_000, "pcm16", 8_000, 20.0),
        (320_000, "wav", 16_000, 10.0),
        (320_000, "flac", 16_000, 20.0),
        (320_000, "webm", 16_000, 80.0),
    ],
)
def test_audio_is_estimated_from_its_size_and_format(
    size_bytes: int | None, audio_format: str, rate_hz: int, audio_s: float | None
) -> None:
    assert estimate_s(size_bytes, audio_format, rate_hz) == audio_s


@pytest.mark.parametrize(
    ("size_bytes", "audio_s"), [(None, 30.0), (10, 1.0), (213_334, 10.0), (25_000_000, 30.0)]
)
def test_a_json_body_is_treated_as_an_utterance(size_bytes: int | None, audio_s: float) -> None:
    assert estimate_json_s(size_bytes) == pytest.approx(audio_s, abs=0.01)


def test_room_is_given_back_when_the_request_fails() -> None:
    transcriber = FakeTranscriber()
    with contextlib.suppress(RuntimeError), reserved(transcriber, ANONYMOUS, 5, 30) as room:
        assert transcriber.reserved == {room: ReservationRequest(ANONYMOUS, 5, 30)}
        raise RuntimeError
    assert transcriber.reserved == {}


def test_a_service_that_is_not_open_refuses_files_too() -> None:
    transcriber = FakeTranscriber()
    check_open(transcriber, ANONYMOUS)
    assert transcriber.reserved == {}
    transcriber.refuse = NoWorkerReady("starting", 3)
    with pytest.raises(NoWorkerReady):
        check_open(transcriber, ANONYMOUS)


def test_the_number_of_files_at_once_is_limited() -> None:
    places = FileSlots(2)
    with places.take(ANONYMOUS):
        with places.take(ANONYMOUS), pytest.raises(Overloaded), places.take(ANONYMOUS):
            pass
        with places.take(ANONYMOUS):
            assert places.taken == 2
    assert places.taken == 0


def test_one_key_leaves_places_to_others() -> None:
    places, alice, bob = FileSlots(4), ClientId("alice"), ClientId("bob")
    with contextlib.ExitStack() as held:
        for _ in range(3):
            held.enter_context(places.take(alice))
        with pytest.raises(Overloaded, match="for this key"), places.take(alice):
            pass
        with places.take(bob), pytest.raises(Overloaded), places.take(ClientId("carol")):
            pass
    with places.take(alice), FileSlots(1).take(bob):
        assert places.taken == 1
