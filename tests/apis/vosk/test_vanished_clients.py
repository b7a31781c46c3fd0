"""What a vanished client has said to the last word is in its kept transcript."""

from pathlib import Path

import pytest

from tests.apis.transcripts.test_vanished_clients import HALF, assert_kept
from tests.apis.vosk.service import vosk
from tests.support.stream import pcm
from tests.support.transcripts import kept_in

pytestmark = pytest.mark.server


async def test_its_last_words_are_kept(tmp_path: Path) -> None:
    async with vosk(tmp_path, **kept_in(tmp_path)) as service:
        async with service.call("?sample_rate=16000") as caller:
            await caller.speak(pcm(HALF))
            caller.connection.transport.abort()
        await assert_kept(service)
