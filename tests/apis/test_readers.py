"""A live session of any API can be read as it is spoken."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from auricle.apis.readers.routes import feeds_of
from tests.apis.openai_realtime.test_live import PCM_16K, client
from tests.support.service import Live, live, poll_until
from tests.support.stream import SPEECH, call, pcm

pytestmark = pytest.mark.server

SPOKEN = pcm(SPEECH[:16_000])


@asynccontextmanager
async def reader(service: Live, source: str) -> AsyncIterator[list[str]]:
    """Read the only session to its end, and give the texts of its finals then."""
    await poll_until(lambda: service.state.live.connected)
    texts: list[str] = []
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as http:
        [session] = (await http.get("/v1/sessions")).json()["sessions"]
        assert session["source"] == source

        async def read() -> None:
            whole = await http.get(f"/v1/sessions/{session['id']}/captions.vtt")
            texts.extend(whole.text.split("\n\n")[1:-1])

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                await poll_until(lambda: feeds_of(service.state).readers)
                yield texts


@pytest.mark.parametrize("path", ["/v1/listen", "/v2/listen"])
async def test_deepgram(tmp_path: Path, path: str) -> None:
    query: dict[str, Any] = {
        "encoding": "linear16",
        "sample_rate": 16_000,
        "model": "flux-general-en",
    }
    source = "deepgram" if path == "/v1/listen" else "flux"
    async with (
        live(tmp_path) as service,
        call(service.port, path=path, **query) as it,
        reader(service, source) as texts,
    ):
        await it.send(SPOKEN)
        await it.tell("CloseStream")
        await it.until_closed()
    assert [text.partition("\n")[2] for text in texts] == ["hello"]


async def test_realtime(tmp_path: Path) -> None:
    async with live(tmp_path) as service, client(service.port) as it:
        await it.update(**PCM_16K, turn_detection=None)
        async with reader(service, "openai-realtime") as texts:
            await it.append(SPOKEN)
            await it.tell("input_audio_buffer.commit")
            await it.until("conversation.item.input_audio_transcription.completed")
            await it.connection.close()
    assert [text.partition("\n")[2] for text in texts] == ["hello"]
