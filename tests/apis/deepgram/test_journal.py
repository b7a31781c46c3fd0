"""The audio of a stream with channels on the disk."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.apis.transcripts.audio_journal import journal as audio_journal
from tests.apis.deepgram.test_vanished_clients import LINEAR
from tests.apis.transcripts.audio_journal.test_journal import HALF, files, journalling, utterances
from tests.apis.transcripts.test_vanished_clients import segments
from tests.support.service import Live, live, poll_until
from tests.support.stream import call

pytestmark = pytest.mark.server

LISTEN: dict[str, Any] = LINEAR | {"path": "/v1/listen"}


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    monkeypatch.setattr(audio_journal, "INTERVAL_S", 0.01)
    async with live(tmp_path, **journalling(tmp_path)) as started:
        yield started


async def test_open_utterances_of_both_channels_are_on_the_disk(
    service: Live, tmp_path: Path
) -> None:
    async with call(service.port, **LISTEN, channels=2, multichannel="true") as caller:
        await caller.send(np.repeat(HALF, 2).tobytes())
        await poll_until(lambda: len(utterances(tmp_path)) == 2)
        found = {each.header.channel: each.header.utterance for each in utterances(tmp_path)}
        assert set(found) == {0, 1}
        await caller.tell("Finalize", channel=0)  # that of the other keeps its file
        await poll_until(lambda: segments(service) and len(files(tmp_path)) == 1)
        (left,) = utterances(tmp_path)
        assert (left.header.channel, left.header.utterance) == (1, found[1])
        await caller.tell("Finalize")
        await poll_until(lambda: not files(tmp_path))
    kept = segments(service)
    assert kept is not None
    assert sorted((each.position, each.speaker) for each in kept) == sorted(
        (utterance, channel) for channel, utterance in found.items()
    )
