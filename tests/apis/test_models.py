"""Every API chooses the model by the name in the request, with one rule for all names."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from auricle.config.sections.model import ModelSettings
from auricle.values.errors import Overloaded
from auricle.values.types import JobKind
from tests.support.clips import CLIPS
from tests.support.service import InProcess, Live, in_process, live, poll_until
from tests.support.stream import Caller, call

pytestmark = pytest.mark.server

WAV = {"content-type": "audio/wav"}
CLIP = CLIPS["fellow.wav"].path.read_bytes()
TWO: dict[str, Any] = {
    "models": ("whisper-base", "tiny=moonshine"),
    "model": ModelSettings(model_aliases=("fast=tiny",)),
}
LINEAR = {"encoding": "linear16", "sample_rate": 16_000}
NAMES = "This server has no such model; its models are: whisper-base, tiny."
ENGLISH_ONLY = "does not support this language; use a code such as en."
WARNING = "The model large-v3 is not served; whisper-base is used."
HEADER = "x-auricle-warnings"


def utterance(service: InProcess, **query: str) -> httpx2.Response:
    return service.client.post("/utterance", content=CLIP, headers=WAV, params=query)


def utterance_json(service: InProcess, **fields: str) -> httpx2.Response:
    body = {"audio": base64.b64encode(CLIP).decode(), **fields}
    return service.client.post("/utterance", json=body)


def openai(service: InProcess, **fields: str) -> httpx2.Response:
    files = {"file": ("a.wav", CLIP)}
    return service.client.post("/v1/audio/transcriptions", files=files, data=fields)


def deepgram(service: InProcess, **query: str) -> httpx2.Response:
    return service.client.post("/v1/listen", content=CLIP, headers=WAV, params=query)


FILES = pytest.mark.parametrize("post", [utterance, utterance_json, openai, deepgram])


def message_of(content: bytes | bytearray) -> tuple[str, str]:
    """Return code and message of an error, in the shape of any API."""
    body = json.loads(content)
    error = body.get("error", body)
    return error["code"], error.get("message") or error["err_msg"]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path, **TWO) as started:
        yield started


@FILES
def test_a_file_is_read_by_the_model_that_its_request_names(two: InProcess, post: Any) -> None:
    for name, model in [
        ("tiny", "tiny"),
        ("Fast", "tiny"),
        ("UsefulSensors/moonshine-tiny", "tiny"),
        ("Systran/faster-whisper-base", "whisper-base"),
        ("whisper-1", "whisper-base"),
        ("nova-3", "whisper-base"),
    ]:
        two.transcriber.jobs.clear()
        assert post(two, model=name).status_code == 200
        assert {job.options.model for job in two.transcriber.jobs} == {model}
    assert {request.model for request in two.transcriber.reservations} == {"tiny", "whisper-base"}
    assert two.is_at_rest()


@FILES
def test_an_unknown_model_is_not_found_among_several(two: InProcess, post: Any) -> None:
    answer = post(two, model="large-v3")
    assert answer.status_code == 404
    assert message_of(answer.content) == ("model_not_found", NAMES)
    assert two.is_at_rest()


@FILES
def test_a_language_that_the_model_does_not_know_is_refused(two: InProcess, post: Any) -> None:
    answer = post(two, model="tiny", language="fr")
    assert answer.status_code == 400
    code, message = message_of(answer.content)
    assert code == "bad_request"
    assert message.endswith(ENGLISH_ONLY)
    assert post(two, model="whisper-base", language="fr").status_code == 200


@FILES
def test_an_only_model_has_every_name_unless_the_operator_is_strict(
    tmp_path: Path, post: Any
) -> None:
    with in_process(tmp_path) as service:
        answer = post(service, model="large-v3")
        assert (answer.status_code, answer.headers[HEADER]) == (200, WARNING)
        assert HEADER not in post(service, model="whisper-1").headers
    with in_process(tmp_path, model=ModelSettings(unknown_models="reject")) as service:
        assert message_of(post(service, model="large-v3").content)[0] == "model_not_found"
        assert post(service, model="openai/whisper-base").status_code == 200
    lenient = TWO["model"].model_copy(update={"unknown_models": "default"})
    with in_process(tmp_path, **(TWO | {"model": lenient})) as service:
        assert post(service, model="large-v3").headers[HEADER] == WARNING


def test_the_response_says_which_model_was_used(two: InProcess) -> None:
    assert utterance(two, model="fast").json()["model"] == "tiny"
    assert utterance(two).json()["model"] == "whisper-base"
    metadata = deepgram(two, model="tiny").json()["metadata"]
    assert [info["name"] for info in metadata["model_info"].values()] == ["tiny"]


def test_a_job_keeps_its_model(two: InProcess) -> None:
    accepted = utterance(two, model="fast", wait="0", job_id="a")
    assert accepted.status_code == 202
    while (job := two.client.get("/jobs/a").json())["state"] != "done":
        pass
    assert job["result"]["model"] == "tiny"
    assert {each.options.model for each in two.transcriber.jobs} == {"tiny"}
    assert utterance(two, model="large-v3", wait="0").status_code == 404


def test_another_model_has_room_where_the_default_has_none(two: InProcess) -> None:
    full = two.transcriber.reserve

    def reserve(request: Any) -> str:
        if request.model == "whisper-base":
            raise Overloaded("full", 3)
        return full(request)

    two.transcriber.reserve = reserve  # type: ignore[method-assign]
    for post in (utterance, utterance_json, openai, deepgram):
        assert post(two, model="tiny").status_code == 200
        refused = post(two, model="whisper-base")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "3")


# Live.


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path, **TWO) as started:
        yield started


async def refused(port: int, **how: Any) -> tuple[int, tuple[str, str]]:
    with pytest.raises(InvalidStatus) as caught:
        async with call(port, **how):
            pass
    response = caught.value.response
    assert response.body is not None
    return response.status_code, message_of(response.body)


def models_of(service: Live) -> set[str]:
    return {job.options.model for job in service.transcriber.jobs}


async def test_native_sessions(running: Live) -> None:
    for how in ("query", "start"):
        running.transcriber.jobs.clear()
        query: dict[str, Any] = {"format": "pcm16", "model": "fast"}
        async with call(running.port, **query if how == "query" else {}) as caller:
            if how == "start":
                await caller.tell("start", **query)
            assert (await caller.until("ready"))["model"] == "tiny"
            await caller.caption()
        assert models_of(running) == {"tiny"}
        assert running.transcriber.reservations[-1].model == "tiny"
    assert await refused(running.port, model="large-v3") == (404, ("model_not_found", NAMES))
    status, (code, message) = await refused(running.port, model="tiny", language="fr")
    assert (status, code) == (400, "bad_request")
    assert message.endswith(ENGLISH_ONLY)
    await poll_until(running.is_at_rest)


async def test_a_native_session_changes_its_model(running: Live) -> None:
    async with call(running.port, format="pcm16") as caller:
        await caller.caption()
        assert models_of(running) == {"whisper-base"}
        await caller.tell("configure", model="large-v3")
        assert (await caller.until("error"))["code"] == "model_not_found"
        running.transcriber.jobs.clear()
        await caller.tell("configure", model="tiny")
        await caller.caption()
        assert models_of(running) == {"tiny"}
        kept = running.transcriber.reserved.values()
        assert [request.model for request in kept] == ["whisper-base", "tiny"]
        finals = [job for job in running.transcriber.jobs if job.kind is JobKind.FINAL]
        assert all(job.reservation == [*running.transcriber.reserved][1] for job in finals)
    await poll_until(lambda: not running.transcriber.reserved)


async def test_deepgram_sessions(running: Live) -> None:
    listen: dict[str, Any] = {"path": "/v1/listen", **LINEAR}
    async with call(running.port, **listen, model="tiny") as caller:
        await caller.send(CLIP[44:])
        await caller.tell("CloseStream")
        await caller.until_closed()
    assert caller.of("Results")[-1]["metadata"]["model_info"]["name"] == "tiny"
    assert models_of(running) == {"tiny"}
    status, (code, _) = await refused(running.port, **listen, model="large-v3")
    assert (status, code) == (404, "model_not_found")


async def test_openai_sessions(running: Live) -> None:
    async with call(running.port, path="/v1/realtime", model="gpt-realtime") as caller:
        await update(caller, "tiny")
        assert (await caller.until("session.updated"))["type"]
        await update(caller, "large-v3")
        error = (await caller.until("error"))["error"]
        assert (error["code"], error["message"]) == ("model_not_found", NAMES)
        pcm = base64.b64encode(CLIP[44:]).decode()
        await caller.tell("input_audio_buffer.append", audio=pcm)
        await caller.tell("input_audio_buffer.commit")
        await caller.until("conversation.item.input_audio_transcription.completed")
    assert models_of(running) == {"tiny"}
    status, (code, _) = await refused(running.port, path="/v1/realtime", model="large-v3")
    assert (status, code) == (404, "model_not_found")


async def update(caller: Caller, model: str) -> None:
    audio = {"input": {"transcription": {"model": model}, "turn_detection": None}}
    await caller.tell("session.update", session={"type": "transcription", "audio": audio})


async def test_an_only_model_has_every_name_live(tmp_path: Path) -> None:
    async with (
        live(tmp_path) as service,
        call(service.port, model="large-v3", format="pcm16") as caller,
    ):
        assert (await caller.until("warning"))["message"] == WARNING
        await caller.caption()
        assert json.dumps(caller.of("ready")[0]["model"]) == '"whisper-base"'
