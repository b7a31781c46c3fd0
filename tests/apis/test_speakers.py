"""Speakers of a file, as every API shows them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.values.optional_workers import OptionalWorkers
from auricle.values.transcriber import Progress
from auricle.values.types import Chunk
from auricle.workers.kinds.speakers.local import LocalSpeakers
from tests.support.embedder import LOUDNESS, FakeEmbedder
from tests.support.service import InProcess, in_process

pytestmark = pytest.mark.server

SECOND = 16_000
WAV = {"content-type": "audio/wav"}
BODY = bytes(1000)


def hold_dialogue(service: InProcess) -> None:
    """Let the decoder find voice 2, voice 1 and voice 2 again."""
    chunks = [
        Chunk(n * 8 * SECOND, np.full(6 * SECOND, voice * LOUDNESS, np.int16))
        for n, voice in enumerate((2, 1, 2))
    ]
    service.decoder.script = [
        *(Progress(0.3, chunk.start_sample + 6 * SECOND, chunk) for chunk in chunks),
        Progress(1.0, 24 * SECOND, done=True),
    ]


@pytest.fixture
def dialogue(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(
        tmp_path, workers=OptionalWorkers(speakers=LocalSpeakers(FakeEmbedder()))
    ) as service:
        hold_dialogue(service)
        yield service


def post(service: InProcess, path: str) -> Any:
    answer = service.client.post(path, content=BODY, headers=WAV)
    assert answer.status_code == 200, answer.text
    return answer.json()


def openai(service: InProcess, **fields: str) -> str:
    answer = service.client.post(
        "/v1/audio/transcriptions", files={"file": ("a.wav", BODY)}, data=fields
    )
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(
    "query", ["speakers=true", "num_speakers=2", "speakers=true&min_speakers=2&max_speakers=4"]
)
def test_native(dialogue: InProcess, query: str) -> None:
    body = post(dialogue, f"/utterance?{query}")
    assert [segment["speaker"] for segment in body["segments"]] == [0, 1, 0]
    assert body["speakers"] == [{"speaker": 0, "name": None}, {"speaker": 1, "name": None}]


def test_native_without_speakers_is_as_ever(dialogue: InProcess) -> None:
    body = post(dialogue, "/utterance")
    assert "speakers" not in body
    assert "speaker" not in body["segments"][0]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("num_speakers=0", "num_speakers"),
        ("num_speakers=10000", "num_speakers"),
        ("speakers=perhaps", "speakers"),
        ("min_speakers=4&max_speakers=3", "min_speakers"),
        ("num_speakers=5&max_speakers=4", "num_speakers"),
        ("max_speakers=1.5", "max_speakers"),
    ],
)
def test_an_impossible_number_is_named(service: InProcess, query: str, field: str) -> None:
    answer = service.client.post(f"/utterance?{query}", content=BODY, headers=WAV)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "bad_request")
    assert field in error["message"]


def test_a_job_keeps_its_options(dialogue: InProcess) -> None:
    path = "/utterance?speakers=true&wait=0&job_id=a"
    assert dialogue.client.post(path, content=BODY, headers=WAV).status_code == 202
    while (job := dialogue.client.get("/jobs/a").json())["state"] != "done":
        pass
    assert [segment["speaker"] for segment in job["result"]["segments"]] == [0, 1, 0]


def test_openai(dialogue: InProcess) -> None:
    body = json.loads(openai(dialogue, response_format="diarized_json"))
    assert [segment["speaker"] for segment in body["segments"]] == ["A", "B", "A"]
    srt = openai(dialogue, response_format="srt", model="gpt-4o-transcribe-diarize")
    assert [line for line in srt.splitlines() if "hello" in line] == [
        "Speaker 1: hello",
        "Speaker 2: hello",
        "Speaker 1: hello",
    ]


def test_openai_streamed(dialogue: InProcess) -> None:
    text = openai(dialogue, response_format="diarized_json", stream="true")
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    segments = [event for event in events if event["type"] == "transcript.text.segment"]
    assert [segment["speaker"] for segment in segments] == ["A", "B", "A"]
    assert events[-1]["type"] == "transcript.text.done"


def test_deepgram(dialogue: InProcess) -> None:
    body = post(dialogue, "/v1/listen?diarize=true&utterances=true")
    (channel,) = body["results"]["channels"]
    words = channel["alternatives"][0]["words"]
    assert [word["speaker"] for word in words] == [0, 1, 0]
    assert [spoken["speaker"] for spoken in body["results"]["utterances"]] == [0, 1, 0]
    assert body["metadata"]["diarize_info"]["arch"] == "v1"


def test_a_server_without_workers_for_speakers_says_so(service: InProcess) -> None:
    hold_dialogue(service)
    for path, key in (("/utterance?speakers=true", None), ("/v1/listen?diarize=true", "metadata")):
        body = post(service, path)
        (warning,) = (body if key is None else body[key])["warnings"]
        assert "could not be distinguished" in warning
