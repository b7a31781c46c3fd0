"""The kept transcripts of Realtime."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from auricle.values.types import ClientId
from tests.support.service import Live, live, poll_until
from tests.support.stream import SPEECH, call, pcm
from tests.support.transcripts import kept_in, transcripts_of

pytestmark = pytest.mark.server


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path, **kept_in(tmp_path)) as started:
        yield started


async def test_a_realtime_session_is_found_by_its_source(running: Live) -> None:
    async with call(running.port, path="/v1/realtime", intent="transcription") as caller:
        audio = {"turn_detection": None, "format": {"type": "audio/pcm", "rate": 16_000}}
        session = {"type": "transcription", "audio": {"input": audio}}
        await caller.tell("session.update", session=session)
        await caller.tell("input_audio_buffer.append", audio=b64encode(pcm(SPEECH)).decode())
        await caller.tell("input_audio_buffer.commit")
        await caller.until("conversation.item.input_audio_transcription.completed")
    transcripts = transcripts_of(running)
    await poll_until(lambda: transcripts.page(ClientId("anonymous")))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as client:
        response = await client.get("/v1/transcripts", params={"source": "openai-realtime"})
    assert len(response.json()["transcripts"]) == 1
