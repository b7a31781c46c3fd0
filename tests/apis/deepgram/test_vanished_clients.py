"""What a vanished client has said to the last word is in its kept transcript."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from auricle.values.types import ANONYMOUS
from tests.apis.transcripts.test_vanished_clients import HALF, assert_kept, is_at_rest
from tests.support.service import Live, live, poll_until
from tests.support.stream import call, pcm
from tests.support.transcripts import kept_in, transcripts_of

pytestmark = pytest.mark.server

LINEAR: dict[str, Any] = {"encoding": "linear16", "sample_rate": 16_000, "vad_events": "true"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path, **kept_in(tmp_path)) as started:
        yield started


async def test_its_last_words_are_kept(service: Live) -> None:
    async with call(service.port, path="/v1/listen", **LINEAR) as caller:
        await caller.send(pcm(HALF))
        await caller.until("SpeechStarted")
        caller.connection.transport.abort()
    await assert_kept(service)
    [(_, kept)] = transcripts_of(service).page(ANONYMOUS)
    assert (kept.source, kept.language) == ("deepgram", "en")


async def test_without_kept_transcripts_nothing_is_computed_for_a_client_that_is_gone(
    tmp_path: Path,
) -> None:
    async with live(tmp_path) as service:
        service.transcriber.gate = anyio.Event()
        async with call(service.port, path="/v1/listen", **LINEAR) as caller:
            await caller.send(pcm(HALF))
            await caller.until("SpeechStarted")
            caller.connection.transport.abort()
        await poll_until(lambda: is_at_rest(service))
