"""Names of files in the list of background jobs, and their length."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx2
import pytest

from auricle.errors import AudioError
from tests.support.service import CLIP, WAV, Live, live

pytestmark = pytest.mark.server

CLIP_BYTES = CLIP.path.read_bytes()


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path / "live") as started:
        yield started


@pytest.fixture
async def client(running: Live) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as made:
        yield made


async def post(client: httpx2.AsyncClient, job_id: str, **query: str) -> httpx2.Response:
    params = {"wait": "0", "job_id": job_id, **query}
    return await client.post("/utterance", params=params, content=CLIP_BYTES, headers=WAV)


async def until_ended(client: httpx2.AsyncClient, job_id: str) -> None:
    with anyio.fail_after(60):
        while True:
            job = (await client.get(f"/jobs/{job_id}")).json()
            if job["state"] not in ("queued", "running"):
                return
            await anyio.sleep(0.01)


async def test_the_list_has_the_names_of_files_and_their_length(
    running: Live, client: httpx2.AsyncClient
) -> None:
    await post(client, "named", file_name="会議 1.wav")
    await until_ended(client, "named")
    running.decoder.script = [AudioError("It is broken.")]
    await post(client, "nameless")
    await until_ended(client, "nameless")
    nameless, named = (await client.get("/jobs")).json()["jobs"]
    assert (named["file_name"], nameless["file_name"]) == ("会議 1.wav", "")
    result = (await client.get("/jobs/named")).json()["result"]
    assert named["duration_ms"] == result["duration_ms"] > 0
    assert nameless["duration_ms"] is None


async def test_a_name_is_no_part_of_a_job_and_has_no_control_characters(
    client: httpx2.AsyncClient,
) -> None:
    assert (await post(client, "a", file_name="one.wav")).status_code == 202
    assert (await post(client, "a", file_name="two.wav")).status_code == 202
    for name in ("a\0", "a\x1b[2J", "a\nb", "x" * 256):
        assert (await post(client, "b", file_name=name)).status_code == 400
