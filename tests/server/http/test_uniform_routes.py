"""What holds for every path: a slash at its end, HEAD, and WebSockets where there are none."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from tests.support.service import Live, live
from tests.support.stream import SPEECH, call, pcm

pytestmark = pytest.mark.server

WAV = {"content-type": "audio/wav"}
CLIP = (Path(__file__).parents[3] / "testdata" / "fellow.wav").read_bytes()
FORM = {"file": ("fellow.wav", CLIP)}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as started:
        yield started


@pytest.fixture
async def http(service: Live) -> AsyncIterator[httpx2.AsyncClient]:
    base = f"http://127.0.0.1:{service.port}"
    async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=60) as client:
        yield client


# A slash.


@pytest.mark.parametrize("path", ["/livez/", "/health/", "/v1/models/", "/status/"])
async def test_get(http: httpx2.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 200


async def test_post(http: httpx2.AsyncClient) -> None:
    utterance = await http.post("/utterance/", content=CLIP, headers=WAV)
    openai = await http.post("/v1/audio/transcriptions/", files=FORM, data={"model": "whisper-1"})
    assert [a.status_code for a in (utterance, openai)] == [200, 200]


async def test_websocket(service: Live) -> None:
    async with call(service.port, path="/v1/stream/", format="pcm16") as caller:
        await caller.send(b"")


# HEAD.


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/readyz", "/health", "/metrics", "/openapi.json", "/v1/models"]
)
async def test_head_is_get_without_the_body(http: httpx2.AsyncClient, path: str) -> None:
    head, get = await http.head(path), await http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert get.content
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["content-length"]


async def test_head_where_there_is_no_get_is_refused(http: httpx2.AsyncClient) -> None:
    answer = await http.head("/utterance")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_allow_lists_head_and_get(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/livez")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_head_of_a_job_has_no_body(service: Live, http: httpx2.AsyncClient) -> None:
    query = "wait=0&job_id=a&audio_format=pcm16"
    await http.post(f"/utterance?{query}", content=pcm(SPEECH), headers=WAV)
    while (await http.get("/jobs/a")).json()["state"] != "done":
        pass
    answer = await http.head("/jobs/a")
    assert (answer.status_code, answer.content) == (200, b"")


# WebSockets.


@pytest.mark.parametrize("path", ["/", "/nothing", "/v3/listen", "/utterance", "/v1/realtime/x"])
async def test_a_websocket_that_there_is_not_is_a_404(service: Live, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with call(service.port, path=path):
            pass
    response = caught.value.response
    assert response.status_code == 404
    assert response.headers["x-request-id"]
    assert response.body is not None
    assert json.loads(response.body)["error"]["code"] == "not_found"
