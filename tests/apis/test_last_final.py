"""Any ending that the server causes first sends the final of the open utterance."""

from pathlib import Path
from struct import pack
from typing import Any

import anyio
import pytest

from auricle.apis.deepgram.wire.live import DeepgramDialect
from auricle.apis.openai_realtime.wire.live import RealtimeDialect
from auricle.apis.vosk.wire.live import VoskDialect
from auricle.config.settings import LiveSettings
from auricle.server.live import connection as live_connection
from auricle.server.live.connection import MAX_BAD_MESSAGES
from auricle.server.net.uvicorn_overrides.websocket import MAX_MESSAGE_BYTES
from tests.apis.openai_realtime.test_live import PCM_16K, TRANSCRIPTION, client
from tests.apis.vosk.service import vosk
from tests.apis.wyoming.service import MONO_16, event, wyoming
from tests.support.containers import ogg_stream
from tests.support.service import Live, live, poll_until
from tests.support.stream import PACKETS, SPEECH, Caller, call, framed, pcm

pytestmark = pytest.mark.server

HALF = SPEECH[:16_000]
"""Speech without the silence that would end it."""
LINEAR: dict[str, Any] = {
    "encoding": "linear16",
    "sample_rate": 16_000,
    "vad_events": "true",
    "punctuate": "true",
}
IDLE_S = 0.3
CHUNK = event("audio-chunk", MONO_16, HALF.tobytes())


def results(caller: Caller) -> list[str]:
    return [
        result["channel"]["alternatives"][0]["transcript"]
        for result in caller.of("Results")
        if result["is_final"]
    ]


def finals(caller: Caller) -> list[str]:
    return [final["text"] for final in caller.of("final")]


# Deepgram.


async def test_deepgram_idle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeepgramDialect, "idle_timeout_s", IDLE_S)
    async with live(tmp_path) as service, call(service.port, path="/v1/listen", **LINEAR) as it:
        await it.send(pcm(HALF))
        code, reason = await it.until_closed()
    assert (code, reason[:8]) == (1011, "NET-0001")
    assert results(it) == ["hello"]


async def test_deepgram_too_many_wrong_messages(tmp_path: Path) -> None:
    async with live(tmp_path) as service, call(service.port, path="/v1/listen", **LINEAR) as it:
        await it.send(pcm(HALF))
        for _ in range(MAX_BAD_MESSAGES):
            await it.tell("Sing")
        assert (await it.until_closed())[0] == 1008
    assert results(it) == ["hello"]


async def test_deepgram_audio_that_breaks_off(tmp_path: Path) -> None:
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


async def test_deepgram_message_that_is_too_large(tmp_path: Path) -> None:
    async with live(tmp_path) as service, call(service.port, path="/v1/listen", **LINEAR) as it:
        await it.send(pcm(HALF))
        await it.send(bytes(MAX_MESSAGE_BYTES + 1))
        assert (await it.until_closed())[0] == 1009
    assert results(it) == ["hello"]


# OpenAI Realtime.


@pytest.mark.parametrize("turns", [{"type": "server_vad"}, None], ids=["turns", "commits"])
async def test_realtime_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turns: dict[str, str] | None
) -> None:
    monkeypatch.setattr(RealtimeDialect, "idle_timeout_s", IDLE_S)
    async with live(tmp_path) as service, client(service.port) as it:
        await it.update(**PCM_16K, turn_detection=turns)
        await it.append(pcm(HALF))
        await it.until_closed()
    texts = [item["transcript"] for item in it.of(f"{TRANSCRIPTION}.completed")]
    assert texts == ["hello"]
    assert it.received[-1]["error"]["code"] == "idle_timeout"


async def test_realtime_reads_a_large_message_out_before_the_server_stops(tmp_path: Path) -> None:
    async with live(tmp_path) as service, client(service.port) as it:
        await it.update(**PCM_16K, turn_detection=None)
        await it.append(pcm(SPEECH) * 5)  # half a minute in slices of two seconds
        await it.until(f"{TRANSCRIPTION}.delta")
        service.state.drain()
        await it.until_closed()
    (item,) = it.of(f"{TRANSCRIPTION}.completed")
    assert item["usage"]["seconds"] > 15


# Vosk.


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (None, "idle_timeout"),
        ('{"config": {"sample_rate": 1}}', "unsupported_format"),
        (bytes(MAX_MESSAGE_BYTES + 1), ""),
    ],
)
async def test_vosk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: bytes | str | None, code: str
) -> None:
    if last is None:
        monkeypatch.setattr(VoskDialect, "idle_timeout_s", IDLE_S)
    async with vosk(tmp_path) as service, service.call("?sample_rate=16000") as it:
        await it.speak(pcm(HALF))
        if last is not None:
            await it.send(last)
        status, reason = await it.until_closed()
    assert (status, reason.partition(":")[0]) == ((1008, code) if code else (1009, reason))
    assert it.texts == ["hello"]


# Wyoming.


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (b"", "idle_timeout"),
        (event("audio-chunk", MONO_16 | {"rate": 8000}, bytes(320)), "unsupported_format"),
        (b"{}\n", "protocol_error"),
    ],
)
async def test_wyoming(tmp_path: Path, last: bytes, code: str) -> None:
    settings = LiveSettings(idle_timeout_s=IDLE_S)
    async with wyoming(tmp_path, settings) as service, service.call() as it:
        await it.send(CHUNK)
        await it.until("voice-started")
        await it.send(last)
        await it.until_closed()
    assert [found["text"] for found in it.of("transcript")] == ["hello"]
    assert [error["code"] for error in it.of("error")] == [code]


async def test_wyoming_speaks_longer_than_the_server_waits(tmp_path: Path) -> None:
    drain_s = live_connection.CLOSE_HANDSHAKE_S + live_connection.LAST_FINAL_S + 0.1
    async with wyoming(tmp_path, drain_s=drain_s) as service, service.call() as it:
        await it.send(CHUNK)
        await it.until("voice-started")
        service.state.drain()
        await it.until_closed()
    assert [found["text"] for found in it.of("transcript")] == ["hello"]
    assert [error["code"] for error in it.of("error")] == ["draining"]


# The native protocol.


@pytest.mark.parametrize("how", ["idle_timeout", "draining", "bad_request", "protocol_error"])
async def test_native_that_can_not_be_resumed(tmp_path: Path, how: str) -> None:
    settings = LiveSettings(idle_timeout_s=IDLE_S if how == "idle_timeout" else 60)
    async with live(tmp_path, settings) as service, call(service.port, format="opus") as it:
        await it.send(framed(PACKETS[:50]))
        await it.until("speech_started")
        match how:
            case "draining":
                service.state.drain()
            case "bad_request":
                for _ in range(MAX_BAD_MESSAGES):
                    await it.tell("sing")
            case "protocol_error":
                await it.send(pack("<H", 60_000) + bytes(8))
        assert (await it.until_closed())[1] == how
    assert finals(it) == ["hello"]


async def test_native_that_can_be_resumed_is_not_cut_where_it_may_continue(tmp_path: Path) -> None:
    async with live(tmp_path) as service:
        query: dict[str, Any] = {"format": "opus", "seq": 1}
        async with call(service.port, **query) as it:
            await it.send(framed(PACKETS[:50], 0))
            ready = await it.until("ready")
            await it.until("speech_started")
            async with call(service.port, resume=1, **query) as second:
                await second.tell("resume", session=ready["session"], secret=ready["secret"])
                await second.until("ready")
                assert (await it.until_closed())[1] == "taken_over"
                await second.send(framed(PACKETS[50:100], 50))
                service.state.drain()
                assert (await second.until_closed())[1] == "draining"
        assert finals(it) == finals(second) == []


@pytest.mark.parametrize("is_lost", [True, False], ids=["lost", "taken over"])
async def test_the_last_final_of_one_that_can_not_be_resumed_can_be_asked_for(
    tmp_path: Path, is_lost: bool
) -> None:
    async with live(tmp_path) as service, call(service.port, format="opus") as it:
        await it.send(framed(PACKETS[:50]))
        ready = await it.until("ready")
        await it.until("speech_started")
        if is_lost:
            await it.connection.close()
        async with call(service.port, resume=1) as second:
            await second.tell("resume", session=ready["session"], secret=ready["secret"])
            assert (await second.until("final"))["text"] == "hello"


# The wait.


async def test_the_last_final_is_waited_for_no_longer_than_its_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeepgramDialect, "idle_timeout_s", IDLE_S)
    monkeypatch.setattr(live_connection, "LAST_FINAL_S", 0.1)
    async with live(tmp_path) as service, call(service.port, path="/v1/listen", **LINEAR) as it:
        service.transcriber.gate = anyio.Event()
        await it.send(pcm(HALF))
        assert (await it.until_closed())[0] == 1011
        assert results(it) == []
        await poll_until(lambda: at_rest(service))


def at_rest(service: Live) -> bool:
    return not service.transcriber.in_flight and not service.transcriber.reserved
