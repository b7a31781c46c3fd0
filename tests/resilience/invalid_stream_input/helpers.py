"""What the tests of invalid_stream_input share."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from auricle.config.sections.live import LiveSettings
from auricle.values.types import OpusPacket
from tests.support.service import Live, live
from tests.support.stream import PACKETS, Caller, call, echo, framed

SECOND = PACKETS[:50]
HALF = len(PACKETS) // 2


class OtherClient(Protocol):
    def __call__(self, port: int) -> AbstractAsyncContextManager[None]: ...


@asynccontextmanager
async def serving(folder: Path, settings: LiveSettings | None = None) -> AsyncIterator[Live]:
    async with live(folder, settings) as started:
        started.transcriber.answer_with = echo
        yield started


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
