"""Every API reports options that have no effect, and serves the request."""

import base64
import json
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect

from tests.support.service import InProcess, live
from tests.support.stream import SPEECH, call, pcm, stream_url

pytestmark = pytest.mark.server

WAV = {"content-type": "audio/wav"}
CLIP = (Path(__file__).parents[2] / "testdata" / "fellow.wav").read_bytes()
DIARIZE = "diarize is not supported and has no effect."
TOPICS = "topics is not supported and has no effect."
HEADER = "x-auricle-warnings"


def openai(service: InProcess, **fields: str) -> httpx2.Response:
    answer = service.client.post(
        "/v1/audio/transcriptions", files={"file": ("a.wav", CLIP)}, data=fields
    )
    assert answer.status_code == 200
    return answer


def test_utterance(service: InProcess) -> None:
    audio = base64.b64encode(CLIP).decode()
    answers = [
        service.client.post("/utterance?diarize=true", content=CLIP, headers=WAV),
        service.client.post("/utterance", json={"audio": audio, "diarize": True}),
    ]
    for answer in answers:
        assert answer.json()["warnings"] == [DIARIZE]
        assert answer.headers[HEADER] == DIARIZE


def test_a_request_without_such_options_is_answered_as_ever(service: InProcess) -> None:
    audio = base64.b64encode(CLIP).decode()
    answers = [
        service.client.post("/utterance?language=en&wait=1", content=CLIP, headers=WAV),
        service.client.post("/utterance", json={"audio": audio, "diarize": False}),
        service.client.post("/v1/listen?model=nova-3&mip_opt_out=true", content=CLIP, headers=WAV),
        openai(service, model="whisper-1", temperature="0", chunking_strategy="auto"),
    ]
    for answer in answers:
        assert HEADER not in answer.headers
        assert "warnings" not in answer.text


def test_a_job(service: InProcess) -> None:
    path = "/utterance?diarize=true&wait=0&job_id=a"
    assert service.client.post(path, content=CLIP, headers=WAV).status_code == 202
    while (job := service.client.get("/jobs/a").json())["state"] != "done":
        pass
    assert job["result"]["warnings"] == [DIARIZE]


@pytest.mark.parametrize("form", ["json", "verbose_json", "text", "srt"])
def test_openai(service: InProcess, form: str) -> None:
    answer = openai(
        service,
        response_format=form,
        temperature="0.2",
        diarize="true",
        embedding="A" * 600_000,
        **{"include[]": "logprobs"},
    )
    warnings = [
        DIARIZE,
        "embedding is not supported and has no effect.",
        "include is not supported and has no effect.",
    ]
    assert all(warning in answer.headers[HEADER] for warning in warnings)
    assert "temperature" in answer.headers[HEADER]
    if "json" in form:
        assert set(warnings) < set(answer.json()["warnings"])


def test_openai_streamed(service: InProcess) -> None:
    answer = openai(service, stream="true", diarize="true")
    done = json.loads(answer.text.strip().splitlines()[-1].removeprefix("data: "))
    assert (done["type"], done["warnings"]) == ("transcript.text.done", [DIARIZE])
    assert answer.headers[HEADER] == DIARIZE


def test_deepgram_file(service: InProcess) -> None:
    answer = service.client.post(
        "/v1/listen?summarize=true&topics=a&numerals=false", content=CLIP, headers=WAV
    )
    warnings = [f"{name} is not supported and has no effect." for name in ("summarize", "topics")]
    assert answer.json()["metadata"]["warnings"] == warnings
    assert answer.headers[HEADER] == " ".join(warnings)


async def test_deepgram_live(tmp_path: Path) -> None:
    query = {"encoding": "linear16", "sample_rate": 16_000, "topics": "a"}
    async with live(tmp_path) as service:
        url = stream_url(service.port, "/v1/listen", **query)
        async with connect(url, proxy=None) as it:
            assert it.response is not None
            assert it.response.headers[HEADER] == TOPICS
            await it.send('{"type":"CloseStream"}')
            metadata = json.loads(await it.recv())
    assert (metadata["type"], metadata["warnings"]) == ("Metadata", [TOPICS])


async def test_native_live(tmp_path: Path) -> None:
    async with live(tmp_path) as service:
        async with call(service.port, format="pcm16", diarize="true") as it:
            warning = await it.until("warning")
            assert (warning["code"], warning["message"]) == ("ignored_option", DIARIZE)
            assert it.received[0]["type"] == "ready"
            await it.send(pcm(SPEECH[:16_000]))
        async with call(service.port) as it:
            await it.tell("start", format="pcm16", diarize=True, task="transcribe")
            assert (await it.until("warning"))["message"] == DIARIZE
