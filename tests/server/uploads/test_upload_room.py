from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import httpx2
import pytest
from anyio.abc import SocketStream

from auricle.server.uploads import upload_room
from auricle.server.uploads.upload_room import EarlyReservations, UploadReservation, early_s
from auricle.values.errors import Overloaded
from auricle.values.types import ANONYMOUS, ClientId
from tests.support.command import serving
from tests.support.service import CLIP, Live, head, keys, live, poll_until, read_answer
from tests.support.stream import call
from tests.support.transcriber import FakeTranscriber

pytestmark = pytest.mark.server

ALICE, BOB = ClientId("alice"), ClientId("bob")
CLIP_BYTES = CLIP.path.read_bytes()
SHORT = CLIP_BYTES[: 44 + 2 * 16_000 * 5]


def test_room_is_kept_as_long_as_a_slow_connection_needs() -> None:
    assert early_s(None) == 5
    assert early_s(960_000) == pytest.approx(14.6)


async def test_a_key_and_an_address_hold_two_early_reservations_each() -> None:
    transcriber, early = FakeTranscriber(), EarlyReservations()
    rooms = [
        UploadReservation(transcriber, early, client, owners)
        for client, owners in (
            (ALICE, (ALICE, "a")),
            (ALICE, (ALICE, "b")),
            (ALICE, (ALICE, "c")),
            (BOB, (BOB, "a")),
            (BOB, (BOB, "a")),
            (ANONYMOUS, ()),
        )
    ]
    held = []
    for room in rooms:
        room.reserve_early(30, 1000, 30)
        held.append(len(transcriber.reserved))
    assert held == [1, 2, 2, 3, 3, 4]
    rooms[0].close()
    rooms[2].reserve_early(30, 1000, 30)
    assert len(transcriber.reserved) == 4
    for room in rooms:
        room.close()
        room.close()
    assert transcriber.reserved == {}
    assert early == EarlyReservations()


async def test_a_client_without_slots_is_refused_too_when_the_queue_is_full() -> None:
    transcriber, early = FakeTranscriber(), EarlyReservations()
    for _ in range(2):
        UploadReservation(transcriber, early, ALICE, [ALICE]).reserve_early(30, None, 30)
    transcriber.refuse = Overloaded("the queue is full", 7)
    late = UploadReservation(transcriber, early, ALICE, [ALICE])
    with pytest.raises(Overloaded):
        late.reserve_early(30, None, 30)
    with pytest.raises(Overloaded):
        late.reserve(3, 30)


async def test_a_body_that_is_there_keeps_its_room_and_counts_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upload_room, "EARLY_S", 0.01)
    transcriber, early = FakeTranscriber(), EarlyReservations()
    whole, slow = (UploadReservation(transcriber, early, ALICE, [ALICE]) for _ in range(2))
    for room in (whole, slow):
        room.reserve_early(30, 0, 30)
    reservation = whole.reserve(3, 30)
    await poll_until(lambda: list(transcriber.reserved) == [reservation])
    assert early == EarlyReservations()
    again = slow.reserve(3, 30)
    assert {name: r.audio_s for name, r in transcriber.reserved.items()} == {
        reservation: 30,
        again: 3,
    }


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path, api_keys=keys("alice:a", "bob:b")) as started:
        yield started


async def upload(service: Live, key: str, body: bytes) -> SocketStream:
    """Begin an upload of a short WAV, and return its connection."""
    stream = await service.connect()
    lines = (
        "Content-Type: audio/wav",
        f"Content-Length: {len(SHORT)}",
        f"Authorization: Bearer {key}",
    )
    await stream.send(head("/utterance?audio_format=wav", *lines) + body)
    return stream


async def test_slow_bodies_hold_little_room_and_not_for_long(
    running: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_room, "EARLY_S", 0.5)
    monkeypatch.setattr(upload_room, "EARLY_BYTES_PER_S", 1e9)
    async with AsyncExitStack() as held:
        slow = [await held.enter_async_context(await upload(running, "a", b"")) for _ in range(8)]
        await poll_until(lambda: len(running.transcriber.reservations) == 8)
        assert len(running.transcriber.reserved) <= 2
        await poll_until(lambda: not running.transcriber.reserved)
        assert running.state.lifecycle.requests == 8
        for stream in slow:  # each has room once it is there
            await stream.send(SHORT)
            assert (await read_answer(stream))[0] == 200
        assert len(running.transcriber.reservations) == 16
    await running.until_at_rest()


async def test_a_body_that_arrives_when_the_queue_is_full_is_refused_with_a_retry_time(
    running: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_room, "EARLY_S", 0.01)
    monkeypatch.setattr(upload_room, "EARLY_BYTES_PER_S", 1e9)
    async with await upload(running, "a", b"") as stream:
        await poll_until(lambda: running.transcriber.reservations)
        await poll_until(lambda: not running.transcriber.reserved)
        running.transcriber.refuse = Overloaded("the queue is full", 7)
        await stream.send(SHORT)
        status, headers, _ = await read_answer(stream)
    assert (status, headers["retry-after"]) == (503, "7")
    running.transcriber.refuse = None
    await running.until_at_rest()


async def test_a_quick_upload_uses_the_room_that_it_got_first(
    running: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_room, "EARLY_S", 600)
    async with await upload(running, "a", SHORT) as stream:
        assert (await read_answer(stream))[0] == 200
    assert len(running.transcriber.reservations) == 1
    with anyio.fail_after(60):
        await running.until_at_rest()


@pytest.mark.wall_clock
@pytest.mark.process
async def test_slow_bodies_keep_no_live_session_out(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, url):
        port = int(url.rpartition(":")[2])
        async with AsyncExitStack() as held, httpx2.AsyncClient(base_url=url, timeout=60) as client:
            for _ in range(10):
                stream = await held.enter_async_context(await anyio.connect_tcp("127.0.0.1", port))
                lines = ("Content-Type: audio/wav", "Content-Length: 900000")
                await stream.send(head("/utterance?audio_format=wav", *lines))
            with anyio.fail_after(60):
                shown = ""
                while "auricle_requests_in_progress 11.0" not in shown:
                    shown = (await client.get("/metrics")).text
            queue = (await client.get("/health")).json()["queue"]
            assert queue["audio_s"] == 0
            assert 0 < queue["reserved_audio_s"] < 60
            async with call(port, format="pcm16") as caller:
                await caller.until("ready")


async def test_room_of_another_model_replaces_the_early_one() -> None:
    transcriber, early = FakeTranscriber(), EarlyReservations()
    room = UploadReservation(transcriber, early, ALICE, (ALICE,))
    room.reserve_early(30, 1000, 30, "base")
    kept = room.reserve(30, 30, "tiny")
    assert {name: each.model for name, each in transcriber.reserved.items()} == {kept: "tiny"}
    assert room.reserve(30, 30, "tiny") == kept
    room.close()
    assert transcriber.reserved == {}
