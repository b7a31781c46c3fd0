"""The server sends the final of the open utterance before it ends a session."""

from pathlib import Path
from struct import pack
from typing import Any

import pytest

from auricle.server.live.connection import MAX_BAD_MESSAGES
from tests.support.service import expire, live
from tests.support.stream import PACKETS, SPEECH, Caller, call, framed

pytestmark = pytest.mark.server

HALF = SPEECH[:16_000]
"""Speech without the silence that would end it."""


def finals(caller: Caller) -> list[str]:
    return [final["text"] for final in caller.of("final")]


@pytest.mark.parametrize("how", ["idle_timeout", "draining", "bad_request", "protocol_error"])
async def test_one_that_can_not_be_resumed(tmp_path: Path, how: str) -> None:
    async with live(tmp_path) as service, call(service.port, format="opus") as it:
        await it.send(framed(PACKETS[:50]))
        await it.until("speech_started")
        match how:
            case "idle_timeout":
                await expire(service, 1)
            case "draining":
                service.state.drain()
            case "bad_request":
                for _ in range(MAX_BAD_MESSAGES):
                    await it.tell("sing")
            case "protocol_error":
                await it.send(pack("<H", 60_000) + bytes(8))
        assert (await it.until_closed())[1] == how
    assert finals(it) == ["hello"]


async def test_one_that_can_be_resumed_is_not_cut_where_it_may_continue(tmp_path: Path) -> None:
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
