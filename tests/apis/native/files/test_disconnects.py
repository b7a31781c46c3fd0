"""Clients that disconnect, slow bodies and large uploads."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import psutil
import pytest

from auricle.server.uploads.spool import BUFFER_BYTES
from tests.apis.native.files.helpers import CLIP_BYTES
from tests.support.decoder import file_of
from tests.support.service import CLIP, Live, head, in_base64, live, poll_until, read_answer

pytestmark = pytest.mark.server


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path / "live") as started:
        yield started


def request_bytes(path: str, content_type: str, content: bytes) -> bytes:
    lines = (f"Content-Type: {content_type}", f"Content-Length: {len(content)}")
    return head(path, *lines) + content


JSON_CONTENT = (
    b'{"audio_format": "pcm16", "audio": "' + in_base64(CLIP.pcm.tobytes()).encode() + b'"}'
)


@pytest.mark.parametrize(
    ("content_type", "content"),
    [("application/json", JSON_CONTENT), ("audio/wav", CLIP_BYTES)],
    ids=["json", "audio"],
)
async def test_a_caller_that_hangs_up_cancels_its_work(
    running: Live, content_type: str, content: bytes
) -> None:
    running.transcriber.gate = anyio.Event()
    async with await running.connect() as stream:
        await stream.send(request_bytes("/utterance", content_type, content))
        await poll_until(lambda: running.transcriber.in_flight == 1)
    await running.until_at_rest()
    assert len(running.transcriber.cancelled) == 1
    running.transcriber.gate = None
    async with await running.connect() as stream:
        await stream.send(request_bytes("/utterance", content_type, content))
        status, _, _ = await read_answer(stream)
        assert status == 200


async def test_a_caller_that_hangs_up_cancels_the_reading_of_its_file(running: Live) -> None:
    running.decoder.gate = anyio.Event()
    async with await running.connect() as stream:
        await stream.send(request_bytes("/utterance", "audio/wav", CLIP_BYTES))
        await poll_until(lambda: running.decoder.open_readings == 1)
    await running.until_at_rest()
    assert running.decoder.left_behind() == []


@pytest.mark.parametrize("content_type", ["application/json", "audio/wav"])
async def test_a_caller_that_hangs_up_in_the_middle_of_its_body_leaves_nothing(
    running: Live, content_type: str
) -> None:
    async with await running.connect() as stream:
        await stream.send(request_bytes("/utterance", content_type, JSON_CONTENT)[:-1000])
        await poll_until(lambda: not running.is_at_rest())
    await running.until_at_rest()
    assert running.transcriber.jobs == []


@pytest.mark.parametrize("content_type", ["application/json", "audio/wav"])
async def test_a_body_that_stops_coming_in_is_given_up(tmp_path: Path, content_type: str) -> None:
    async with live(tmp_path, body_timeout_s=0.2) as impatient:
        async with await impatient.connect() as stream:
            await stream.send(request_bytes("/utterance", content_type, JSON_CONTENT)[:-1000])
            status, headers, body = await read_answer(stream)
            assert (status, headers["connection"]) == (400, "close")
            assert b"No body data" in body
        await impatient.until_at_rest()


@pytest.mark.wall_clock
async def test_a_large_upload_is_never_whole_in_memory(running: Live) -> None:
    size = 60_000_000
    before = memory_bytes()
    async with await running.connect() as stream:
        await stream.send(head("/utterance", "Content-Type: audio/flac", f"Content-Length: {size}"))
        running.decoder.script = file_of(20, 20)
        for _ in range(size // 500_000):
            await stream.send(bytes(500_000))
        status, _, _ = await read_answer(stream)
        assert status == 200
    assert memory_bytes() - before < size / 2


async def test_large_json_is_in_a_file_while_it_arrives(running: Live) -> None:
    """Slow clients with many unfinished bodies would otherwise hold all memory."""
    size = 20_000_000
    content = b'{"audio_format": "pcm16", "audio": "' + b"A" * size + b'"}'
    spool = running.state.storage.spool.path

    def stored_bytes() -> int:
        return sum(path.stat().st_size for path in spool.iterdir())

    async with await running.connect() as stream:
        await stream.send(request_bytes("/utterance", "application/json", content)[:-1000])
        await poll_until(lambda: stored_bytes() >= size - 2 * BUFFER_BYTES)
    await running.until_at_rest()
    assert stored_bytes() == 0


async def test_large_json_takes_a_slot_of_files(tmp_path: Path) -> None:
    content = b'{"audio_format": "pcm16", "audio": "' + b"A" * 2_000_000 + b'"}'
    message = request_bytes("/utterance", "application/json", content)
    async with live(tmp_path, max_file_jobs=1) as running:
        async with await running.connect() as slow, await running.connect() as other:
            await slow.send(message[:-1000])
            spool = running.state.storage.spool.path
            await poll_until(lambda: list(spool.iterdir()))
            await other.send(message[:-1000])
            status, _, body = await read_answer(other)
            assert (status, json.loads(body)["error"]["code"]) == (503, "queue_full")
            await slow.send(message[-1000:])
            assert (await read_answer(slow))[0] == 200
        await running.until_at_rest()


async def test_large_json_is_transcribed_and_leaves_nothing(running: Live) -> None:
    audio = CLIP_BYTES + bytes(2_000_000)
    content = b'{"job_id": "a1", "audio": "' + in_base64(audio).encode() + b'"}'
    async with await running.connect() as stream:
        await stream.send(request_bytes("/utterance", "application/json", content))
        status, _, body = await read_answer(stream)
    answer = json.loads(body)
    assert (status, answer["job_id"]) == (200, "a1")
    assert answer["duration_ms"] == round(len(audio) / 32)
    assert running.decoder.contents == [audio[:100]]
    await running.until_at_rest()
    assert running.decoder.left_behind() == []


def memory_bytes() -> int:
    return int(psutil.Process().memory_info().rss)
