"""What a vanished client has said to the last word is in its kept transcript."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from auricle.apis.transcripts.stored.transcripts import KeptSegment, Transcripts
from auricle.config.sections.live import LiveSettings
from auricle.server.live import runner as live_runner
from auricle.values.types import ANONYMOUS
from tests.support.service import FakeService, Live, live, poll_until
from tests.support.stream import PACKETS, SPEECH, call, framed, pcm
from tests.support.transcripts import kept_in, transcripts_of

pytestmark = pytest.mark.server

NOT_KEPT = "auricle_live_finals_not_kept_total"
HALF = SPEECH[:16_000]
"""Speech without the silence that would end it."""


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    settings = LiveSettings(resume_grace_s=0.2)
    async with live(tmp_path, settings, **kept_in(tmp_path)) as started:
        yield started


def segments(service: FakeService) -> list[KeptSegment]:
    """Return the segments of all kept transcripts."""
    transcripts = transcripts_of(service)
    return [
        segment
        for _, transcript in transcripts.page(ANONYMOUS)
        for segment in found(transcripts, transcript.uid)
    ]


def found(transcripts: Transcripts, uid: str) -> list[KeptSegment]:
    transcript = transcripts.find(ANONYMOUS, uid)
    return [] if transcript is None else list(transcript[1])


async def assert_kept(service: FakeService) -> None:
    await poll_until(lambda: segments(service))
    (segment,) = segments(service)
    assert (segment.position, segment.text) == (1, "hello")
    await poll_until(lambda: is_at_rest(service))


def is_at_rest(service: FakeService) -> bool:
    live = service.state.live
    is_empty = not live.connected and not live.waiting and not live.finishing
    return is_empty and not service.transcriber.reserved and not service.transcriber.in_flight


@pytest.mark.parametrize(
    "query",
    [{"format": "pcm16"}, {"format": "opus"}, {"format": "opus", "seq": 1}],
    ids=["pcm16", "opus", "resumable"],
)
async def test_native(service: Live, query: dict[str, Any]) -> None:
    async with call(service.port, **query) as caller:
        first_seq = 0 if "seq" in query else None
        is_pcm = query["format"] == "pcm16"
        await caller.send(pcm(HALF) if is_pcm else framed(PACKETS[:50], first_seq))
        await caller.until("speech_started")
        caller.connection.transport.abort()
    await assert_kept(service)


async def test_finals_that_are_due_when_the_client_vanishes_are_kept(
    service: Live,
) -> None:
    service.transcriber.gate = anyio.Event()
    async with call(service.port, format="pcm16") as caller:
        for _ in range(2):
            await caller.send(pcm(HALF))
            await caller.until("speech_started")
            await caller.tell("finalize")
        caller.connection.transport.abort()
    await poll_until(lambda: service.state.live.finishing)
    service.transcriber.gate.set()
    await poll_until(lambda: len(segments(service)) == 2)
    assert [segment.position for segment in segments(service)] == [1, 2]
    await poll_until(lambda: is_at_rest(service))


async def test_a_session_that_finishes_can_not_be_resumed(service: Live) -> None:
    async with call(service.port, format="pcm16", seq=1) as caller:
        ready = await caller.until("ready")
        service.transcriber.gate = anyio.Event()
        await caller.send(bytes(8) + pcm(HALF))
        await caller.until("speech_started")
        caller.connection.transport.abort()
    await poll_until(lambda: service.state.live.finishing)
    async with call(service.port, format="pcm16", seq=1, resume=1) as second:
        await second.tell("resume", session=ready["session"], secret=ready["secret"])
        assert not (await second.until("ready"))["resumed"]
        service.transcriber.gate.set()
        await poll_until(lambda: segments(service))


async def test_a_final_that_takes_too_long_is_given_up(
    service: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_runner, "FINISH_S", 0.05)
    service.transcriber.gate = anyio.Event()
    async with call(service.port, format="pcm16") as caller:
        await caller.send(pcm(HALF))
        await caller.until("speech_started")
        caller.connection.transport.abort()
    await poll_until(lambda: is_at_rest(service))
    assert segments(service) == []
    assert service.state.metrics.registry.get_sample_value(NOT_KEPT) == 1


async def test_draining_finishes_sessions_that_wait_for_their_clients(tmp_path: Path) -> None:
    async with live(tmp_path, **kept_in(tmp_path)) as service:
        async with call(service.port, format="pcm16", seq=1) as caller:
            await caller.send(bytes(8) + pcm(HALF))
            await caller.until("speech_started")
            caller.connection.transport.abort()
        await poll_until(lambda: service.state.live.waiting)
        service.state.drain()
        await assert_kept(service)
