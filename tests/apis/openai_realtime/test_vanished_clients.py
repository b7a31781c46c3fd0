"""What a vanished client has said to the last word is in its kept transcript."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apis.transcripts.test_vanished_clients import HALF, assert_kept
from tests.support.service import Live, live, poll_until
from tests.support.stream import call, pcm
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path, **kept_in(tmp_path)) as started:
        yield started


@pytest.mark.parametrize("turns", [{"type": "server_vad"}, None], ids=["turns", "commits"])
async def test_its_last_words_are_kept(service: Live, turns: dict[str, str] | None) -> None:
    async with call(service.port, path="/v1/realtime", intent="transcription") as caller:
        audio = {"turn_detection": turns, "format": {"type": "audio/pcm", "rate": 16_000}}
        session = {"type": "transcription", "audio": {"input": audio}}
        await caller.tell("session.update", session=session)
        await caller.tell("input_audio_buffer.append", audio=b64encode(pcm(HALF)).decode())
        await poll_until(lambda: service.transcriber.jobs)  # a partial
        caller.connection.transport.abort()
    await assert_kept(service)
