"""Background jobs over a real port: accept one, and wait for its state."""

from typing import Any

import anyio
import httpx2

from tests.support.service import CLIP, WAV

CLIP_BYTES = CLIP.path.read_bytes()


async def post(client: httpx2.AsyncClient, job_id: str, **query: str) -> httpx2.Response:
    params = {"wait": "0", "job_id": job_id, **query}
    return await client.post("/utterance", params=params, content=CLIP_BYTES, headers=WAV)


async def until(
    client: httpx2.AsyncClient, job_id: str, state: str, text: str | None = None
) -> dict[str, Any]:
    with anyio.fail_after(60):
        while True:
            body: dict[str, Any] = (await client.get(f"/jobs/{job_id}")).json()
            if body.get("state") == state and text in (None, body["text"]):
                return body
            await anyio.sleep(0.01)
