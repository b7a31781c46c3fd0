"""The server sends the final of the open utterance before it ends a session."""

from pathlib import Path

import pytest

from tests.apis.native.live.test_last_final import HALF
from tests.apis.openai_realtime.test_live import PCM_16K, TRANSCRIPTION, client
from tests.support.service import expire, live
from tests.support.stream import SPEECH, pcm

pytestmark = pytest.mark.server


@pytest.mark.parametrize("turns", [{"type": "server_vad"}, None], ids=["turns", "commits"])
async def test_idle(tmp_path: Path, turns: dict[str, str] | None) -> None:
    async with live(tmp_path) as service, client(service.port) as it:
        await it.update(**PCM_16K, turn_detection=turns)
        await it.append(pcm(HALF))
        await expire(service, HALF.size)
        await it.until_closed()
    texts = [item["transcript"] for item in it.of(f"{TRANSCRIPTION}.completed")]
    assert texts == ["hello"]
    assert it.received[-1]["error"]["code"] == "idle_timeout"


@pytest.mark.wall_clock
async def test_it_reads_a_large_message_out_before_the_server_stops(tmp_path: Path) -> None:
    async with live(tmp_path) as service, client(service.port) as it:
        await it.update(**PCM_16K, turn_detection=None)
        await it.append(pcm(SPEECH) * 5)  # half a minute in slices of two seconds
        await it.until(f"{TRANSCRIPTION}.delta")
        service.state.drain()
        await it.until_closed()
    (item,) = it.of(f"{TRANSCRIPTION}.completed")
    assert item["usage"]["seconds"] > 15
