import contextlib

import pytest

from auricle.server.access.admission import check_open, estimate_json_s, estimate_s, reserved
from auricle.values.errors import NoWorkerReady
from auricle.values.types import ANONYMOUS, ReservationRequest
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
