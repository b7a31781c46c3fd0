"""Invalid messages: framing, containers, sizes and order."""

import contextlib
from struct import pack
from typing import Any

import pytest
from structlog.testing import LogCapture
from websockets.exceptions import ConnectionClosed

from auricle.server.net.uvicorn_overrides.websocket import MAX_MESSAGE_BYTES
from tests.resilience.invalid_stream_input.helpers import (
    SECOND,
    OtherClient,
    alone,
    codes,
    finals_of,
)
from tests.support.service import Live
from tests.support.stream import call, framed

pytestmark = pytest.mark.server


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
async def test_an_invalid_container_is_refused(
    service: Live, other_client: OtherClient, container: str
) -> None:
    async with other_client(service.port), call(service.port, format=container) as caller:
        await caller.until("ready")
        await caller.send(b"RIFF" + bytes(8000))
        assert await caller.until_closed() == (1002, "protocol_error")
        assert codes(caller, "error") == {"protocol_error"}


async def test_text_where_audio_is_due_is_reported_and_ignored(
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
        with contextlib.suppress(ConnectionClosed):  # the error may arrive before all is sent
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
