"""Recordings of known speakers: what is refused, and that nothing of them is left."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.values.errors import AudioError, UnsupportedFormat
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.transcriber import Progress
from auricle.values.types import Chunk
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.embedder import LOUDNESS, FakeEmbedder
from tests.support.service import InProcess, in_process

pytestmark = pytest.mark.server

SECOND = 16_000
FILE = bytes(20 * 2 * SECOND)


@pytest.fixture
def speakers() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def service(tmp_path: Path, speakers: FakeEmbedder) -> Iterator[InProcess]:
    with in_process(tmp_path, workers=OptionalWorkers(speakers=LocalSpeakers(speakers))) as started:
        yield started


def reference(seconds: float, kind: str = "audio/wav") -> str:
    return f"data:{kind};base64," + base64.b64encode(bytes(int(seconds * 2 * SECOND))).decode()


def ask(service: InProcess, *references: str, **fields: Any) -> Any:
    return service.client.post(
        "/v1/audio/transcriptions",
        files={"file": ("a.wav", FILE)},
        data={
            "response_format": "diarized_json",
            "known_speaker_names[]": [f"Ann {n}" for n, _ in enumerate(references)],
            "known_speaker_references[]": list(references),
            **fields,
        },
    )


def test_a_known_voice_has_its_name_and_its_recording_is_deleted(service: InProcess) -> None:
    answer = ask(service, reference(10))
    assert answer.status_code == 200
    assert {segment["speaker"] for segment in answer.json()["segments"]} == {"Ann 0"}
    assert service.is_at_rest()
    assert not service.decoder.left_behind()


def speech(*voices: int) -> list[Progress | Exception]:
    """Return three seconds of each voice."""
    pcm = np.repeat(np.array(voices, np.int16) * LOUDNESS, 3 * SECOND)
    return [Progress(1.0, pcm.size, Chunk(0, pcm)), Progress(1.0, pcm.size, done=True)]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ([Progress(1.0, 5 * SECOND, done=True)], "contains no speech"),
        ([Progress(1.0, SECOND, done=True)], "is not 2 to 10 s long"),
        ([Progress(0.5, 11 * SECOND), Progress(1.0, 60 * SECOND, done=True)], "is not 2 to 10 s"),
        (speech(1, 2), "contains several voices"),
        ([AudioError("broken")], "is not audio that can be decoded"),
        ([UnsupportedFormat("unknown")], "is not audio that can be decoded"),
    ],
    ids=["silence", "1 s", "1 min", "two voices", "broken", "no audio"],
)
def test_a_recording_that_can_not_be_used_is_named(
    service: InProcess, script: list[Progress | Exception], problem: str
) -> None:
    service.decoder.script = script
    answer = ask(service, reference(5))
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "known_speaker_references")
    assert f"Entry 1 of known_speaker_references {problem}" in error["message"]
    assert not service.transcriber.jobs
    assert not service.spooled


def test_without_workers_for_speakers_the_text_is_returned(
    service: InProcess, speakers: FakeEmbedder
) -> None:
    speakers.refusals = 10**9
    service.decoder.script = speech(1)
    answer = ask(service, reference(5))
    assert answer.status_code == 200
    assert answer.json()["text"] == "hello"
    assert {segment["speaker"] for segment in answer.json()["segments"]} == {"unknown"}
    assert "could not be distinguished" in answer.json()["warnings"][0]
