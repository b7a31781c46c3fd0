"""The audio of a cleared buffer on the disk."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from auricle.apis.transcripts.audio_journal import journal as audio_journal
from tests.apis.transcripts.audio_journal.test_journal import HALF, files, journalled, journalling
from tests.support.service import Live, live, poll_until
from tests.support.stream import call, pcm

pytestmark = pytest.mark.server


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    monkeypatch.setattr(audio_journal, "INTERVAL_S", 0.01)
    async with live(tmp_path, **journalling(tmp_path)) as started:
        yield started


async def test_a_discarded_utterance_leaves_the_disk(service: Live, tmp_path: Path) -> None:
    async with call(service.port, path="/v1/realtime", intent="transcription") as caller:
        audio = {"turn_detection": None, "format": {"type": "audio/pcm", "rate": 16_000}}
        session = {"type": "transcription", "audio": {"input": audio}}
        await caller.tell("session.update", session=session)
        await append(caller, HALF)
        await journalled(tmp_path, 8000)
        await caller.tell("input_audio_buffer.clear")
        await poll_until(lambda: not files(tmp_path))
        await append(caller, HALF)
        assert (await journalled(tmp_path, 8000)).header.utterance == 2


async def append(caller: Any, samples: Any) -> None:
    await caller.tell("input_audio_buffer.append", audio=b64encode(pcm(samples)).decode())
