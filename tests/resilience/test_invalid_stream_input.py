"""Invalid input: the client receives an error, and other sessions are unaffected.

A second client streams before, during and after each test. The fake transcriber returns a word for
exactly the samples that it receives, so that client's finals would differ if a sample were lost.
"""

import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from struct import pack
from typing import Any, Protocol

import anyio
import numpy as np
import opuslib_next
import pytest
from structlog.testing import LogCapture
from websockets.exceptions import ConnectionClosed

from auricle.config.settings import LiveSettings
from auricle.server.live.outbox import MAX_NEWS
from auricle.server.net.uvicorn_overrides.websocket import MAX_MESSAGE_BYTES
from auricle.types import Job, OpusPacket, Transcript
from tests.support.opus import encode_packets
from tests.support.service import Live, live, poll_until
from tests.support.stream import PACKETS, SPEECH, Caller, call, echo, framed, pcm
from tests.support.tcp_proxy import proxy_to

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
SECOND = PACKETS[:50]
HALF = len(PACKETS) // 2


class OtherClient(Protocol):
    def __call__(self, port: int) -> AbstractAsyncContextManager[None]: ...


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    async with serving(tmp_path_factory.mktemp("spool")) as started:
        yield started


@asynccontextmanager
async def serving(folder: Path, settings: LiveSettings | None = None) -> AsyncIterator[Live]:
    async with live(folder, settings) as started:
        started.transcriber.answer_with = echo
        yield started


@pytest.fixture(scope="module")
async def other_client(service: Live) -> OtherClient:
    """Return a second client that streams during a test and fails it if its session is affected."""
    undisturbed: list[Any] = []

    async def stay_alive(caller: Caller) -> None:
        while True:
            await anyio.sleep(0.1)
            await caller.tell("keepalive")

    @asynccontextmanager
    async def speaking(port: int) -> AsyncIterator[None]:
        async with call(port, format="opus", seq=1, partials=0, language="fr") as caller:
            await caller.until("ready")
            await caller.send(framed(PACKETS[:HALF], 0))
            async with anyio.create_task_group() as group:
                group.start_soon(stay_alive, caller)
                yield
                group.cancel_scope.cancel()
            await caller.send(framed(PACKETS[HALF:], HALF))
            await caller.tell("stop")
            assert await caller.until_closed() == (1000, "done")
        assert caller.of("error") == caller.of("warning") == caller.of("switch_format") == []
        told = [told_of(final) for final in caller.of("final")]
        assert told
        assert told == (undisturbed or told)
        undisturbed[:] = told

    async with speaking(service.port):
        pass
    return speaking


def told_of(final: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in final.items() if name != "latency_ms"}


async def finals_of(caller: Caller) -> list[dict[str, Any]]:
    """Stop; return the finals, and check that it ended well."""
    await caller.tell("stop")
    assert await caller.until_closed() == (1000, "done")
    assert {final["error"] for final in caller.of("final")} <= {None}
    return [told_of(final) for final in caller.of("final")]


async def alone(service: Live, packets: Sequence[OpusPacket]) -> list[dict[str, Any]]:
    """Return what the packets say when they come as they should."""
    async with call(service.port, format="opus", seq=1) as caller:
        await caller.send(framed(packets, 0))
        finals = await finals_of(caller)
    assert finals
    return finals


def codes(caller: Caller, kind: str) -> set[str]:
    return {event["code"] for event in caller.of(kind)}


# Framing.


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"format": "opus"}, b"\xff" * 100),
        ({"format": "opus"}, b"\0\0"),
        ({"format": "opus", "seq": 1}, pack("<H", 4001)),
        ({"format": "opus-message"}, b""),
        ({"format": "opus-message"}, bytes(5000)),
        ({"format": "opus-message", "seq": 1}, b"\0\0"),
        ({"format": "pcm16", "seq": 1}, b"short"),
        ({"format": "pcm16", "seq": 1}, pack("<Q", 2**63) + bytes(640)),
    ],
)
async def test_framing_garbage_ends_with_1002_after_what_was_good(
    service: Live, other_client: OtherClient, query: dict[str, Any], message: bytes
) -> None:
    good = framed(SECOND) if query == {"format": "opus"} else b""
    async with other_client(service.port), call(service.port, **query) as caller:
        ready = await caller.until("ready")
        await caller.send(good + message)
        assert await caller.until_closed() == (1002, "protocol_error")
        assert codes(caller, "error") == {"protocol_error"}
        async with call(service.port) as again:  # what was good is not lost
            await again.tell("resume", session=ready["session"], secret=ready["secret"])
            assert (await again.until("ready"))["received"] == (16_000 if good else 0)


@pytest.mark.parametrize("container", ["ogg", "webm"])
async def test_a_container_that_is_none_is_refused(
    service: Live, other_client: OtherClient, container: str
) -> None:
    async with other_client(service.port), call(service.port, format=container) as caller:
        await caller.until("ready")
        await caller.send(b"RIFF" + bytes(8000))
        assert await caller.until_closed() == (1002, "protocol_error")
        assert codes(caller, "error") == {"protocol_error"}


async def test_text_where_audio_is_due_is_told_and_ignored(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="opus") as caller:
        await caller.send(framed(SECOND[:25]))
        await caller.send(framed(SECOND[25:]).decode("latin-1"))
        await caller.send('{"type":"audio","data":"..."}')
        await caller.send("[" * 10_000)
        await caller.until("error")
        await caller.send(framed(SECOND[25:]))
        expected = await alone(service, SECOND)
        assert await finals_of(caller) == expected
        assert codes(caller, "error") == {"bad_request"}
        assert len(caller.of("error")) == 3


async def test_too_much_text_where_audio_is_due_ends_with_1008(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="opus") as caller:
        for _ in range(20):
            await caller.send("audio")
        assert await caller.until_closed() == (1008, "bad_request")


async def test_audio_where_text_is_due_ends_with_1002(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port) as caller:
        await caller.send(framed(SECOND))
        assert await caller.until_closed() == (1002, "protocol_error")
        assert codes(caller, "error") == {"protocol_error"}


@pytest.mark.parametrize("pieces", [1, 64])
async def test_a_message_of_16_mb_ends_with_1009(
    service: Live, other_client: OtherClient, logged: LogCapture, pieces: int
) -> None:
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        ready = await caller.until("ready")
        await caller.send(framed(SECOND, 0))
        message = bytes(16 * MAX_MESSAGE_BYTES)
        size = len(message) // pieces
        with contextlib.suppress(ConnectionClosed):  # it may be told before it has sent all
            await caller.connection.send(message[i * size : (i + 1) * size] for i in range(pieces))
        assert (await caller.until_closed())[0] == 1009
        async with call(service.port) as again:
            await again.tell("resume", session=ready["session"], secret=ready["secret"])
            assert (await again.until("ready"))["received"] == 16_000
            assert await finals_of(again) == await alone(service, SECOND)
    ends = [line["end"] for line in logged.entries if line["event"] == "request"]
    assert "too_large" in ends


async def test_a_packet_a_byte_at_a_time_is_a_packet(
    service: Live, other_client: OtherClient
) -> None:
    expected = await alone(service, SECOND)
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        for byte in framed(SECOND, 0):
            await caller.send(bytes([byte]))
        assert await finals_of(caller) == expected
        assert caller.of("warning") == []


# Silence.


async def test_clients_that_say_nothing_are_closed_and_those_that_vanish_are_waited_for(
    other_client: OtherClient, tmp_path: Path
) -> None:
    async with (
        serving(tmp_path, LiveSettings(idle_timeout_s=2.0)) as service,
        proxy_to(service.port) as proxy,
        other_client(service.port),
        call(service.port) as mute,
        call(service.port, format="opus") as started,
        call(proxy.port, format="opus", seq=1) as vanished,
        call(service.port, format="opus", seq=1) as gone,
    ):
        ready = [await who.until("ready") for who in (vanished, gone)]
        for who in (vanished, gone):
            await who.send(framed(SECOND, 0))
            await who.until("progress")
        proxy.freeze()  # a cable that is out: nothing is ever heard of it again
        gone.connection.transport.abort()
        assert await mute.until_closed() == (1008, "idle_timeout")
        assert await started.until_closed() == (1008, "idle_timeout")
        assert started.of("error")[0]["retryable"] is True
        await poll_until(lambda: service.state.live.connected == 1)  # the other client
        for left in ready:
            async with call(service.port) as again:
                await again.tell("resume", session=left["session"], secret=left["secret"])
                assert (await again.until("ready"))["received"] == 16_000
                assert await finals_of(again) == await alone(service, SECOND)


# Too slow, too fast.


async def test_who_stops_reading_is_closed_with_1013_and_loses_no_final(
    service: Live, other_client: OtherClient
) -> None:
    word = pcm(SPEECH[: 16_000 * 6 // 10])
    service.transcriber.answer_with = lambda job: (
        echo(job) if job.options.language == "fr" else long_echo(job)
    )
    async with other_client(service.port):
        async with call(service.port, format="pcm16", max_queue=1, partials=0) as caller:
            ready = await caller.until("ready")
            caller.connection.transport.pause_reading()
            spoken = 0
            with anyio.fail_after(60):
                while service.state.live.connected == 2:
                    await caller.send(word)
                    await caller.tell("finalize")
                    spoken += 1
            caller.connection.transport.resume_reading()
            assert await caller.until_closed() == (1013, "queue_full")
            assert caller.of("final")[-1]["id"] < spoken
        async with call(service.port) as again:
            read = caller.of("final")
            await again.tell(
                "resume",
                session=ready["session"],
                secret=ready["secret"],
                last_result=read[-1]["id"],
            )
            await finals_of(again)
    service.transcriber.answer_with = echo
    ids = [final["id"] for final in read + again.of("final")]
    assert ids == list(range(1, len(ids) + 1))
    assert len(ids) > MAX_NEWS  # how many more depends on what the system buffers


def long_echo(job: Job) -> Transcript:
    heard = echo(job)
    return replace(heard, text=heard.text + " x" * 2000)


FLOOD = """
import sys, threading
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from tests.support.stream import PACKETS, SPEECH, framed, pcm, stream_url

def flood(message, **query):
    url = stream_url(int(sys.argv[1]), language="de", **query)
    with connect(url, compression=None, ping_interval=None, proxy=None) as connection:
        print("in", flush=True)
        try:
            while True:
                connection.send(message)
        except ConnectionClosed:
            pass

for message, query in (
    (pcm(SPEECH), {"format": "pcm16"}),
    (framed(PACKETS[:1]), {"format": "opus"}),
    (b"", {"format": "opus"}),
):
    threading.Thread(target=flood, args=(message,), kwargs=query, daemon=True).start()
sys.stdin.read()
"""
"""A program that sends as fast as it can, until its stdin is closed."""


async def test_who_sends_faster_than_real_time_for_ever_waits_and_nobody_else_does(
    service: Live, other_client: OtherClient
) -> None:
    service.transcriber.gate = anyio.Event()
    service.transcriber.holds = lambda job: job.options.language == "de"
    command = [sys.executable, "-c", FLOOD, str(service.port)]
    async with await anyio.open_process(command, cwd=ROOT, stderr=None) as flood:
        try:
            async with other_client(service.port):
                await poll_until(lambda: service.state.live.connected == 4)
                await poll_until(lambda: service.transcriber.in_flight > 2)
                async with other_client(service.port):
                    pass
            held = [job for job in service.transcriber.jobs if job.options.language == "de"]
            assert sum(job.pcm.size for job in held) < 2 * 100 * 16_000
        finally:
            flood.kill()
    service.transcriber.gate = None
    await poll_until(lambda: service.state.live.connected == 0)


async def test_connections_that_vanish_leave_nothing_but_a_session_that_waits(
    service: Live, other_client: OtherClient
) -> None:
    waiting = service.state.live.waiting
    async with other_client(service.port):
        for send in (b"", framed(SECOND, 0), framed(SECOND, 0)[:77], b"\xff"):
            async with call(service.port, format="opus", seq=1) as caller:
                await caller.until("ready")
                await caller.send(send)
                caller.connection.transport.abort()
        await poll_until(lambda: service.state.live.connected == 1)
    assert service.state.live.waiting - waiting <= 5


# Not what was declared.


async def test_opus_at_48_khz_in_stereo_is_decoded_and_said_not_to_be_as_declared(
    service: Live, other_client: OtherClient
) -> None:
    encoder = opuslib_next.Encoder(48_000, 2, opuslib_next.APPLICATION_AUDIO)
    stereo = np.repeat(np.repeat(SPEECH[: 2 * 16_000], 3), 2).reshape(-1, 1920)
    packets = [OpusPacket(bytes(encoder.encode(frame.tobytes(), 960))) for frame in stereo]
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        await caller.send(framed(packets, 0))
        (final,) = await finals_of(caller)
        assert codes(caller, "warning") == {"format_mismatch"}
        assert "stereo" in caller.of("warning")[0]["message"]
        assert final["end_s"] <= 2.1


async def test_pcm_at_48_khz_in_stereo_sounds_slow_and_harms_nobody(
    service: Live, other_client: OtherClient
) -> None:
    stereo = np.repeat(np.repeat(SPEECH, 3), 2)
    async with other_client(service.port), call(service.port, format="pcm16") as caller:
        for message in np.array_split(stereo, 6):
            await caller.send(pcm(message))
        await finals_of(caller)
        assert caller.received[-1]["audio_s"] == pytest.approx(6 * SPEECH.size / 16_000)


# Numbers.


async def test_numbers_that_jump_are_a_gap_that_is_told(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        await caller.send(framed(SECOND, 0))
        await caller.send(framed(SECOND, 75))
        await finals_of(caller)
        gaps = [w["gap_ms"] for w in caller.of("warning") if w["code"] == "audio_gap"]
        assert gaps == [500]
        closed = caller.received[-1]
        assert (closed["audio_s"], closed["packets"], closed["lost_packets"]) == (2.5, 100, 25)


async def test_numbers_that_jump_by_hours_end_with_1002(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        await caller.send(framed(SECOND, 0))
        await caller.send(framed(SECOND, 2**30))
        assert await caller.until_closed() == (1002, "protocol_error")


async def test_numbers_that_repeat_or_go_back_are_dropped(
    service: Live, other_client: OtherClient
) -> None:
    expected = await alone(service, PACKETS)
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        for start in range(0, len(PACKETS), 10):
            for first in (start, start, max(0, start - 10)):
                await caller.send(framed(PACKETS[first : first + 10], first))
        assert await finals_of(caller) == expected
        assert codes(caller, "warning") == {"audio_dropped"}
        assert caller.received[-1]["packets"] == len(PACKETS)


async def test_numbers_that_wrap_go_on(service: Live, other_client: OtherClient) -> None:
    expected = await alone(service, PACKETS)
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        await caller.send(framed(PACKETS, 2**32 - 100))
        assert await finals_of(caller) == expected
        assert caller.of("warning") == []
        assert caller.of("progress")[-1]["received_seq"] == len(PACKETS) - 101


async def test_pcm_positions_that_jump_and_repeat_are_told(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="pcm16", seq=1) as caller:
        for position in (0, 16_000, 0, 24_000):
            await caller.send(pack("<Q", position) + pcm(SPEECH[position : position + 8000]))
        await finals_of(caller)
        assert codes(caller, "warning") == {"audio_gap", "audio_dropped"}
        assert caller.received[-1]["audio_s"] == 2.0


# Commands out of place.


async def test_finalize_with_no_audio_does_nothing(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        for _ in range(3):
            await caller.tell("finalize")
        await caller.send(framed(encode_silence(), 0))
        await caller.tell("finalize")
        await caller.send(framed(SECOND, 10))
        finals = await finals_of(caller)
        assert [final["id"] for final in finals] == [1]
        assert caller.of("error") == caller.of("warning") == []


def encode_silence() -> list[OpusPacket]:
    return encode_packets(np.zeros(3200, np.int16))


async def test_configure_in_mid_word_changes_what_comes_after_it(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port), call(service.port, format="opus", seq=1) as caller:
        for start in range(0, 200, 20):
            await caller.send(framed(PACKETS[start : start + 20], start))
            await caller.tell("configure", language="es", prompt="so", endpoint_ms=300)
        await caller.tell("configure", language="klingon")
        await caller.tell("configure", format="mp3")
        await caller.tell("configure", format="pcm16", sample_rate=48_000)
        await caller.send(pack("<Q", 3 * 64_000) + pcm(np.repeat(SPEECH[64_000:], 3)))
        finals = await finals_of(caller)
        assert [event["code"] for event in caller.of("error")] == ["bad_request"] * 2
        assert caller.of("warning") == []
        assert caller.received[-1]["audio_s"] == pytest.approx(len(SPEECH) / 16_000)
        assert finals[-1]["language"] == "es"


async def test_a_finished_session_can_be_asked_for_twice_but_not_with_a_wrong_secret(
    service: Live, other_client: OtherClient
) -> None:
    async with other_client(service.port):
        async with call(service.port, format="opus", seq=1) as caller:
            ready = await caller.until("ready")
            await caller.send(framed(PACKETS, 0))
            expected = await finals_of(caller)
        for _ in range(2):
            async with call(service.port) as again:
                await again.tell("resume", session=ready["session"], secret=ready["secret"])
                assert (await again.until("ready"))["resumed"] is True
                await again.send(framed(PACKETS, 0))  # too late
                assert await again.until_closed() == (1000, "done")
                assert [told_of(final) for final in again.of("final")] == expected
        for secret in ("wrong", "", "x" * 200, ready["session"]):
            async with call(service.port) as other:
                await other.tell("resume", session=ready["session"], secret=secret)
                assert (await other.until("ready"))["resumed"] is False
                assert await finals_of(other) == []
        for secret in ("x" * 201, 5, None, "\ud800"):
            async with call(service.port) as other:
                await other.tell("resume", session=ready["session"], secret=secret)
                assert await other.until_closed() == (1008, "bad_request")
