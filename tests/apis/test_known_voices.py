"""Names of known voices, as every API shows them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auricle.values.optional_workers import OptionalWorkers
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.embedder import FakeEmbedder
from tests.support.known_voices import BODY, MODEL, WAV, hold_dialogue, know
from tests.support.service import InProcess, in_process

pytestmark = pytest.mark.server


@pytest.fixture
def service(tmp_path: Path) -> Iterator[InProcess]:
    workers = OptionalWorkers(speakers=LocalSpeakers(FakeEmbedder(), MODEL))
    settings = {"known_voices": ("*",), "asr_webservice": True}
    with in_process(tmp_path, workers=workers, **settings) as started:
        yield started


def post(service: InProcess, path: str, *said: int) -> Any:
    hold_dialogue(service, *said)
    answer = service.client.post(path, content=BODY, headers=WAV)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_deepgram_s_answer_has_names_by_number(service: InProcess) -> None:
    know(service, Ann=1)
    (channel,) = post(service, "/v1/listen?diarize=true", 2, 1)["results"]["channels"]
    assert channel["alternatives"][0]["speakers"] == [{"speaker": 1, "name": "Ann"}]
    (channel,) = post(service, "/v1/listen?diarize=true", 2, 4)["results"]["channels"]
    assert "speakers" not in channel["alternatives"][0]


def test_asr_webservice_s_labels_are_names(service: InProcess) -> None:
    know(service, Ann=1)
    hold_dialogue(service, 2, 1)
    answer = service.client.post("/asr?diarize=true&output=json", files={"audio_file": BODY})
    assert answer.status_code == 200, answer.text
    labels = [segment["speaker"] for segment in answer.json()["segments"]]
    assert labels == ["SPEAKER_00", "Ann"]
    hold_dialogue(service, 2, 1)
    answer = service.client.post("/asr?diarize=true&output=txt", files={"audio_file": BODY})
    assert [line.partition(":")[0] for line in answer.text.splitlines()] == [
        "[SPEAKER_00]",
        "[Ann]",
    ]


@pytest.mark.parametrize("format", ["srt", "vtt"])
def test_subtitles_have_names(service: InProcess, format: str) -> None:
    know(service, Ann=1)
    hold_dialogue(service, 2, 1)
    data = {"response_format": format, "model": "gpt-4o-transcribe-diarize"}
    answer = service.client.post(
        "/v1/audio/transcriptions", files={"file": ("a.wav", BODY)}, data=data
    )
    assert "Speaker 1: " in answer.text
    assert "Ann: " in answer.text
