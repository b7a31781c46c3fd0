"""Live MP3, FLAC and AAC over a socket, with a real worker."""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from auricle.config.sections.decode import DecodeSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.protocol.dialect import EncodedFrames
from auricle.server.live.frame_stream import FrameStream
from auricle.values.errors import UnsupportedFormat
from auricle.values.optional_workers import NO_FRAME_DECODER, OptionalWorkers
from auricle.values.types import ANONYMOUS, CompressedFrame, FrameCodec
from auricle.workers.kinds.frames.pool import FramePool
from auricle.workers.kinds.frames.settings import FrameSettings
from auricle.workers.poison import CrashBudget
from tests.support.clips import CLIPS
from tests.support.compressed import encoded, likeness
from tests.support.service import Live, live, poll_until
from tests.support.stream import Caller, call

pytestmark = pytest.mark.process

PCM = CLIPS["fellow.wav"].pcm


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Live]:
    worker = WorkerSettings.model_validate({"backoff_first_s": 0.05})
    pool = FramePool(worker, DecodeSettings(), FrameSettings(), CrashBudget(3, 60))
    await pool.start()
    async with live(tmp_path, workers=OptionalWorkers(frames=pool)) as started:
        yield started
        await pool.aclose()


async def finish(caller: Caller) -> dict[str, Any]:
    await caller.tell("CloseStream")
    metadata: dict[str, Any] = await caller.until("Metadata")
    return metadata


@pytest.mark.wall_clock
@pytest.mark.parametrize("codec", FrameCodec)
@pytest.mark.smoke
async def test_compressed_speech_is_transcribed_and_outlives_a_worker(
    service: Live, codec: FrameCodec
) -> None:
    data = encoded(PCM, codec)
    frames = service.state.workers.frames
    async with call(service.port, path="/v1/listen", channels=2, endpointing=5000) as caller:
        for at in range(0, len(data), 2000):
            await caller.send(data[at : at + 2000])
            if at == 2000 * (len(data) // 4000):
                await poll_until(lambda: frames.stats().jobs.done > 2)
                (worker,) = frames.stats().workers
                assert worker.pid is not None
                os.kill(worker.pid, signal.SIGKILL)
        metadata = await finish(caller)
    heard = max((job.pcm for job in service.transcriber.jobs), key=len)
    assert likeness(heard, PCM) > 0.9
    assert metadata["duration"] == pytest.approx(PCM.size / 16_000, abs=0.2)
    await service.until_at_rest()


async def test_frames_that_can_not_be_decoded_end_the_connection(service: Live) -> None:
    frame = b"\xff\xfb\x90\x00" + b"\xff" * 413
    async with call(service.port, path="/v1/listen") as caller:
        await caller.send(frame * 200)
        code, reason = await caller.until_closed()
    assert code == 1008
    assert reason.startswith("DATA-0000: The MP3 can't be decoded.")
    await service.until_at_rest()


async def test_a_server_without_such_workers_says_so(tmp_path: Path) -> None:
    async with live(tmp_path) as service, call(service.port, path="/v1/listen") as caller:
        await caller.send(encoded(PCM, FrameCodec.MP3))
        code, reason = await caller.until_closed()
    assert (code, reason) == (1008, "DATA-0000: This server decodes no live MP3, FLAC or AAC.")


async def test_no_frames_open_no_stream() -> None:
    received: list[bytes] = []
    stream = FrameStream(NO_FRAME_DECODER, ANONYMOUS, 1)
    with pytest.raises(UnsupportedFormat):
        await stream.decode(EncodedFrames(FrameCodec.MP3, b"", ()), received.append)
    stream.close()
    frame = CompressedFrame(b"x", 1)
    with pytest.raises(UnsupportedFormat):
        await stream.decode(EncodedFrames(FrameCodec.MP3, b"", (frame,)), received.append)
