"""Long results of all APIs are rendered one after another."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import pytest

from auricle.server import rendering
from auricle.server.rendering import (
    MAX_RENDERINGS_PER_CLIENT,
)
from auricle.values.types import ClientId
from tests.server.test_rendering import ALICE, HOUR, Work
from tests.support.clips import CLIPS
from tests.support.service import Live, keys, live, poll_until

pytestmark = pytest.mark.server

WAV = CLIPS["fellow.wav"].path.read_bytes()
FORM = {"file": ("a.wav", WAV)}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path, api_keys=keys("alice:alice-key")) as started:
        yield started


@pytest.mark.parametrize(
    ("path", "request_fields"),
    [
        ("/v1/audio/transcriptions", {"files": FORM, "data": {"response_format": "srt"}}),
        ("/v1/audio/transcriptions", {"files": FORM, "data": {"stream": "true"}}),
        ("/v1/audio/translations", {"files": FORM, "data": {"response_format": "vtt"}}),
        ("/v1/listen", {"content": WAV, "headers": ALICE | {"content-type": "audio/wav"}}),
        ("/utterance", {"content": WAV, "headers": ALICE | {"content-type": "audio/wav"}}),
    ],
)
async def test_a_long_result_of_each_api_waits_for_its_turn(
    service: Live,
    path: str,
    request_fields: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await assert_its_result_waits(service, path, request_fields, monkeypatch)


async def assert_its_result_waits(
    service: Live, path: str, request_fields: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that the result of a request of Alice waits until she has few others."""
    monkeypatch.setattr(rendering, "SHORT_SAMPLES", 0)
    renderer, work, alice = service.state.renderer, Work(), ClientId("alice")
    responses: list[httpx2.Response] = []
    async with (
        httpx2.AsyncClient(headers=ALICE, timeout=60) as client,
        anyio.create_task_group() as group,
    ):

        async def post() -> None:
            url = f"http://127.0.0.1:{service.port}{path}"
            responses.append(await client.post(url, **request_fields))  # type: ignore[arg-type]

        for _ in range(MAX_RENDERINGS_PER_CLIENT):
            group.start_soon(renderer.render, alice, HOUR, work.of(alice))
        await poll_until(lambda: len(work.begun) == MAX_RENDERINGS_PER_CLIENT)
        group.start_soon(post)
        await poll_until(lambda: responses or service.transcriber.jobs)
        await poll_until(lambda: not service.transcriber.in_flight)
        for _ in range(20):  # in which a result that does not wait would arrive
            assert (await client.get(f"http://127.0.0.1:{service.port}/livez")).status_code == 200
        assert not responses
        work.release.set()
    assert responses[0].status_code == 200
    assert "hello" in responses[0].text
