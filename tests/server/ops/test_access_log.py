from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from structlog.testing import LogCapture

from auricle.server.http.log_sampling import LINES_PER_WINDOW
from tests.support.service import (
    CLIP,
    Live,
    head,
    in_process,
    keys,
    live,
    poll_until,
    read_answer,
)

pytestmark = pytest.mark.server


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as started:
        yield started


async def test_requests_that_are_ended_are_asked_to_retry(
    service: Live, logged: LogCapture
) -> None:
    service.transcriber.gate = anyio.Event()
    content = CLIP.path.read_bytes()
    async with await service.connect() as stream:
        lines = ("Content-Type: audio/wav", f"Content-Length: {len(content)}")
        await stream.send(head("/utterance", *lines) + content)
        await poll_until(lambda: service.transcriber.in_flight == 1)
        assert service.state.lifecycle.requests == 1
        service.state.lifecycle.end_requests()
        status, headers, body = await read_answer(stream)
    assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "5")
    assert b"draining" in body
    await service.until_at_rest()
    (line,) = [entry for entry in logged.entries if entry["event"] == "request"]
    assert (line["status"], line["code"]) == (503, "draining")
    assert not service.state.lifecycle.requests


async def test_a_client_that_left_is_logged_as_such(service: Live, logged: LogCapture) -> None:
    async with await service.connect() as stream:
        lines = ("Content-Type: audio/wav", "Content-Length: 100")
        await stream.send(head("/utterance", *lines) + b"x")
        await poll_until(lambda: service.state.lifecycle.requests)
    await service.until_at_rest()
    await poll_until(lambda: not service.state.lifecycle.requests)
    (line,) = [entry for entry in logged.entries if entry["event"] == "request"]
    assert (line["status"], line["code"]) == (499, "client_left")


async def test_failed_keys_do_not_fill_the_log_and_are_all_counted(
    tmp_path: Path, logged: LogCapture
) -> None:
    with in_process(tmp_path, api_keys=keys("alice:a")) as service:
        service.client.headers["authorization"] = "Bearer wrong"
        for _ in range(50):
            assert service.client.post("/utterance").status_code == 401
            assert service.client.get("/jobs/x").status_code == 401
        good = service.client.get("/jobs/x", headers={"authorization": "Bearer a"})
        assert good.status_code == 404
        shown = service.client.get("/metrics").text
    lines = [entry for entry in logged.entries if entry["event"] == "request"]
    refused = [line for line in lines if line["status"] == 401]
    assert len(refused) == LINES_PER_WINDOW
    assert all("address" in line for line in refused)
    assert [line["status"] for line in lines if line["status"] != 401].count(404) == 1
    assert 'auricle_errors_total{code="unauthorized"} 100.0' in shown
