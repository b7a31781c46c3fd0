"""FFmpeg plays the captions of a session, as players that are built on it do."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import av
import pytest
from anyio import to_thread

from auricle.apis.readers.routes import feeds_of
from auricle.values.events import Final
from auricle.values.types import ANONYMOUS, SAMPLE_RATE_HZ
from tests.support.service import Live, live, poll_until

pytestmark = pytest.mark.server


def final(number: int) -> Final:
    at = 4 * number * SAMPLE_RATE_HZ
    text = f"Sentence {number}."
    return Final(number, number, text, at, at + 2 * SAMPLE_RATE_HZ, "en", None, 300.0, False)


def play(url: str) -> list[tuple[int | None, str]]:
    with av.open(url, timeout=60) as playlist:
        [stream] = playlist.streams
        assert (stream.type, stream.codec_context.name) == ("subtitle", "webvtt")
        return [(cue.pts, bytes(cue).decode()) for cue in playlist.demux() if cue.size]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path / "live") as started:
        yield started


async def test_ffmpeg_follows_the_playlist_to_its_end(running: Live) -> None:
    feed = feeds_of(running.state).open("s1", ANONYMOUS, "native")
    played: list[tuple[int | None, str]] = []

    async def listen() -> None:
        url = f"http://127.0.0.1:{running.port}/v1/sessions/s1/captions.m3u8?token=t"
        played.extend(await to_thread.run_sync(play, url))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for number in range(5):
                feed.publish(final(number))
            feed.finals_until(20 * SAMPLE_RATE_HZ)
            group.start_soon(listen)
            await poll_until(lambda: 0 in feed._segments)  # its first segment, as few are listed
            feed.publish(final(5))
            feed.finals_until(23 * SAMPLE_RATE_HZ)
            feed.end("closed")
    assert played == [(4000 * number, f"Sentence {number}.") for number in range(6)]
