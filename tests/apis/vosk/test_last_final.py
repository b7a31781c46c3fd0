"""The server sends the final of the open utterance before it ends a session."""

from pathlib import Path

import pytest

from auricle.server.net.uvicorn_overrides.websocket import MAX_MESSAGE_BYTES
from tests.apis.native.live.test_last_final import HALF
from tests.apis.vosk.service import vosk
from tests.support.service import expire
from tests.support.stream import pcm

pytestmark = pytest.mark.server


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (None, "idle_timeout"),
        ('{"config": {"sample_rate": 1}}', "unsupported_format"),
        (bytes(MAX_MESSAGE_BYTES + 1), ""),
    ],
)
async def test_it_comes_before_the_end(tmp_path: Path, last: bytes | str | None, code: str) -> None:
    async with vosk(tmp_path) as service, service.call("?sample_rate=16000") as it:
        await it.speak(pcm(HALF))
        if last is None:
            await expire(service, HALF.size)
        else:
            await it.send(last)
        status, reason = await it.until_closed()
    assert (status, reason.partition(":")[0]) == ((1008, code) if code else (1009, reason))
    assert it.texts == ["hello"]
