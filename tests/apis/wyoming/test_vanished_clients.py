"""What a vanished client has said to the last word is in its kept transcript."""

from pathlib import Path

import pytest

from tests.apis.transcripts.test_vanished_clients import HALF, assert_kept
from tests.apis.wyoming.service import MONO_16, event, wyoming
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server


async def test_its_last_words_are_kept(tmp_path: Path) -> None:
    async with wyoming(tmp_path, **kept_in(tmp_path)) as service:
        async with service.call() as caller:
            await caller.send(event("audio-chunk", MONO_16, HALF.tobytes()))
            await caller.until("voice-started")
        await assert_kept(service)
