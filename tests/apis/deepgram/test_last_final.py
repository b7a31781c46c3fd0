"""The server sends the final of the open utterance before it ends a session."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from auricle.server.live import connection as live_connection
from auricle.server.live.connection import MAX_BAD_MESSAGES
from auricle.server.net.uvicorn_overrides.websocket import MAX_MESSAGE_BYTES
from tests.apis.native.live.test_last_final import HALF
from tests.support.containers import ogg_stream
from tests.support.service import Live, expire, live, poll_until
from tests.support.stream import PACKETS, Caller, call, pcm

pytestmark = pytest.mark.server

LINEAR: dict[str, Any] = {
    "encoding": "linear16",
    "sample_rate": 16_000,
    "vad_events": "true",
    "punctuate": "true",
}


def results(caller: Caller) -> list[str]:
    return [
        result["channel"]["alternatives"][0]["transcript"]
        for result in caller.of("Results")
        if result["is_final"]
    ]


async def test_idle(tmp_path: Path) -> None:
    async with live(tmp_path) as service, call(service.port, path="/v1/listen", **LINEAR) as it:
        await it.send(pcm(HALF))
        await expire(service, HALF.size)
        code, reason = await it.until_closed()
    assert (code, reason[:8]) == (1011, "NET-0001")
    assert results(it) == ["hello"]


async def test_too_many_wrong_messages(tmp_path: Path) -> None:
    async with live(tmp_path) as service, call(service.port, path="/v1/listen", **LINEAR) as it:
        await it.send(pcm(HALF))
        for _ in range(MAX_BAD_MESSAGES):
            await it.tell("Sing")
        assert (await it.until_closed())[0] == 1008
    assert results(it) == ["hello"]


async def test_audio_that_breaks_off(tmp_path: Path) -> None:
    query = LINEAR | {"encoding": "ogg-opus"}
    wrong = b"OggS" + bytes(5000)
    async with live(tmp_path) as service, call(service.port, path="/v1/listen", **query) as it:
        for page in ogg_pages():
            await it.send(page)
        await it.until("SpeechStarted")
        await it.send(wrong)
        assert (await it.until_closed())[0] == 1008
    assert results(it) == ["hello"]


def ogg_pages() -> list[bytes]:
    stream = ogg_stream(PACKETS[:100])
    return [stream[at : at + 1000] for at in range(0, len(stream), 1000)]


async def test_message_that_is_too_large(tmp_path: Path) -> None:
    async with live(tmp_path) as service, call(service.port, path="/v1/listen", **LINEAR) as it:
        await it.send(pcm(HALF))
        await it.send(bytes(MAX_MESSAGE_BYTES + 1))
        assert (await it.until_closed())[0] == 1009
    assert results(it) == ["hello"]


async def test_the_last_final_is_waited_for_no_longer_than_its_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_connection, "LAST_FINAL_S", 0.1)
    async with live(tmp_path) as service, call(service.port, path="/v1/listen", **LINEAR) as it:
        service.transcriber.gate = anyio.Event()
        await it.send(pcm(HALF))
        await expire(service, HALF.size)
        assert (await it.until_closed())[0] == 1011
        assert results(it) == []
        await poll_until(lambda: at_rest(service))


def at_rest(service: Live) -> bool:
    return not service.transcriber.in_flight and not service.transcriber.reserved
