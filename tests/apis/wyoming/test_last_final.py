"""The server sends the final of the open utterance before it ends a session."""

from pathlib import Path

import pytest

from auricle.server.live import connection as live_connection
from auricle.server.live import connection_end
from tests.apis.native.live.test_last_final import HALF
from tests.apis.wyoming.service import MONO_16, event, wyoming
from tests.support.service import expire

pytestmark = pytest.mark.server

CHUNK = event("audio-chunk", MONO_16, HALF.tobytes())


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (b"", "idle_timeout"),
        (event("audio-chunk", MONO_16 | {"rate": 8000}, bytes(320)), "unsupported_format"),
        (b"{}\n", "protocol_error"),
    ],
)
async def test_it_comes_before_the_error(tmp_path: Path, last: bytes, code: str) -> None:
    async with wyoming(tmp_path) as service, service.call() as it:
        await it.send(CHUNK)
        await it.until("voice-started")
        await it.send(last)
        if not last:
            await expire(service, HALF.size)
        await it.until_closed()
    assert [found["text"] for found in it.of("transcript")] == ["hello"]
    assert [error["code"] for error in it.of("error")] == [code]


async def test_one_speaks_longer_than_the_server_waits(tmp_path: Path) -> None:
    drain_s = connection_end.CLOSE_HANDSHAKE_S + live_connection.LAST_FINAL_S + 0.1
    async with wyoming(tmp_path, drain_s=drain_s) as service, service.call() as it:
        await it.send(CHUNK)
        await it.until("voice-started")
        service.state.drain()
        await it.until_closed()
    assert [found["text"] for found in it.of("transcript")] == ["hello"]
    assert [error["code"] for error in it.of("error")] == ["draining"]
