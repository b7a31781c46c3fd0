"""Webhooks of an application behind a real socket, and a real receiver."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from auricle.config.sections.ledger import LedgerSettings
from tests.support.receiver import Receiver, receiver_running
from tests.support.service import CLIP, WAV, Live, live

CLIP_BYTES = CLIP.path.read_bytes()
SECRET = "a secret of more than thirty-two characters"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiver_running() as server:
        yield server


def sending(folder: Path, *, allow_private: bool = True, **ledger: Any) -> dict[str, Any]:
    """Return settings with which webhooks are sent, also to this machine."""
    return {
        "ledger": LedgerSettings(state_dir=folder / "state", **ledger),
        "webhook_secret": SECRET,
        "webhook_allow_private": allow_private,
    }


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    settings = sending(tmp_path)
    async with live(tmp_path / "spool", keep_transcripts=True, **settings) as started:
        yield started


@pytest.fixture
async def client(running: Live) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}", timeout=60) as made:
        yield made


async def post(client: httpx2.AsyncClient, job_id: str = "a1", **query: str) -> httpx2.Response:
    params = {"wait": "0", "job_id": job_id, **query}
    return await client.post("/utterance", params=params, content=CLIP_BYTES, headers=WAV)


async def until_sent(client: httpx2.AsyncClient, state: str, job_id: str = "a1") -> Any:
    """Return the job once its webhook is in a state."""
    return await until(client, lambda webhook: webhook["state"] == state, job_id)


async def until_attempted(client: httpx2.AsyncClient) -> Any:
    """Return the job once its receiver has answered."""
    return await until(client, lambda webhook: webhook["last_status"] is not None)


async def until(
    client: httpx2.AsyncClient, condition: Callable[[Any], bool], job_id: str = "a1"
) -> Any:
    with anyio.fail_after(60):
        while True:
            body = (await client.get(f"/jobs/{job_id}")).json()
            if condition(body["webhook"]):
                return body
            await anyio.sleep(0.01)
