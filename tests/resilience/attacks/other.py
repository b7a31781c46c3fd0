"""What the holder of another key does during an attack, again and again."""

import asyncio
import json

import numpy as np

from auricle.values.types import SAMPLE_RATE_HZ
from bench.lib.audio import as_wav
from bench.lib.posting import WAV_PATH, WAV_TYPE, Client

FILE_S = 300
POLL_S = 0.05


class Other:
    """A client with a valid key.

    Args:
        client: Sends the requests.
        key: Its key.
        wav: Speech of two seconds.
        kind: What it does; see :class:`.Attack`.
    """

    def __init__(self, client: Client, key: str, wav: bytes, kind: str) -> None:
        self._client, self._key, self._kind = client, key, kind
        silence = as_wav(np.zeros(FILE_S * SAMPLE_RATE_HZ, np.int16))
        self._content = silence if kind == "file" else wav

    async def ask(self) -> int:
        """Send a request and wait for its result; return the status."""
        if self._kind == "transcript":
            status, _ = await self._send("/v1/transcripts/short?format=srt")
            return status
        path = f"{WAV_PATH}&wait=0" if self._kind == "job" else WAV_PATH
        status, content = await self._send(path, WAV_TYPE, self._content)
        if status != 202:
            return status
        job = json.loads(content)
        while job["state"] in ("queued", "running"):
            await asyncio.sleep(POLL_S)
            status, content = await self._send(f"/jobs/{job['job_id']}")
            job = json.loads(content)
        return 200 if job["state"] == "done" else 500

    async def _send(
        self, path: str, media_type: str | None = None, content: bytes = b""
    ) -> tuple[int, bytes]:
        head = self._client.head(path, media_type, len(content), self._key)
        answer = await self._client.exchange(head, content)
        return answer.status, answer.content
