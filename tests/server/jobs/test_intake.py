"""Admission of a request before its body is read: queue room for utterances, slots for files."""

import pytest

from auricle.server.access.admission import MAX_UTTERANCE_S
from auricle.values.errors import Overloaded
from tests.support.service import CLIP, WAV, InProcess

pytestmark = pytest.mark.server

AUDIO = CLIP.path.read_bytes()


def test_an_utterance_has_queue_room_and_a_short_file_gives_it_back(service: InProcess) -> None:
    assert service.client.post("/utterance", content=AUDIO, headers=WAV).status_code == 200
    assert service.transcriber.reservations
    assert service.is_at_rest()


def test_a_long_file_takes_a_slot_and_no_room(service: InProcess) -> None:
    content = bytes(int(MAX_UTTERANCE_S * 2) * 32_000)
    response = service.client.post(
        "/utterance?format=pcm16&sample_rate=16000",
        content=content,
        headers={"content-type": "application/octet-stream"},
    )
    assert response.status_code == 200
    assert not service.transcriber.reserved
    assert service.is_at_rest()


def test_without_room_nothing_of_the_body_is_stored(service: InProcess) -> None:
    service.transcriber.refuse = Overloaded("The queue is full.", 7)
    response = service.client.post("/utterance", content=AUDIO, headers=WAV)
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert not service.decoder.sources
    service.assert_works()


def test_a_server_that_shuts_down_accepts_nothing(service: InProcess) -> None:
    service.state.drain()
    response = service.client.post("/utterance", content=AUDIO, headers=WAV)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "draining")
    assert service.is_at_rest()
