"""Live streams in real worker processes, and the deaths of these."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from auricle.config.sections.decode import DecodeSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import (
    AudioError,
)
from auricle.values.types import ClientId, CompressedFrame, FrameCodec, Pcm16
from auricle.workers.kinds.frames.pool import FramePool
from auricle.workers.kinds.frames.schedule import (
    MAX_FAILED_FRAMES,
)
from auricle.workers.kinds.frames.settings import FrameSettings
from auricle.workers.poison import CrashBudget
from tests.support.clips import CLIPS
from tests.support.compressed import encoded, split, splitter_of

pytestmark = [pytest.mark.process, pytest.mark.anyio]

LIMIT_S = 150.0
CLIENT = ClientId("key")
PCM = np.tile(CLIPS["fellow.wav"].pcm, 2)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def frames_of(codec: FrameCodec) -> tuple[list[CompressedFrame], bytes]:
    splitter = splitter_of(codec)
    return split(encoded(PCM, codec), splitter), splitter.header


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auricle.workers.kinds.frames.pool.PATIENCE_S", LIMIT_S)


@asynccontextmanager
async def opened(workers: int = 1) -> AsyncIterator[FramePool]:
    pool = FramePool(
        WorkerSettings.model_validate({"backoff_first_s": 0.05}),
        DecodeSettings(decode_budget_s=120.0),
        FrameSettings(frame_workers=workers),
        CrashBudget(1, 60),
    )
    await pool.start()
    try:
        yield pool
    finally:
        await pool.aclose()


def kill(pool: FramePool) -> None:
    for worker in pool.stats().workers:
        if worker.pid is not None:
            os.kill(worker.pid, signal.SIGKILL)


@pytest.mark.parametrize("codec", FrameCodec)
async def test_a_worker_s_death_loses_and_repeats_no_sample(codec: FrameCodec) -> None:
    frames, header = frames_of(codec)
    steps = [frames[at : at + 5] for at in range(0, len(frames), 5)]

    async def run(pool: FramePool, deaths: tuple[int, ...]) -> Pcm16:
        stream = pool.open(codec, header, client=CLIENT)
        parts = []
        for at, step in enumerate(steps):
            decoding = asyncio.create_task(stream.decode(step))
            await asyncio.sleep(0)  # it waits, or is at work
            if at in deaths:
                kill(pool)
            parts.append(await decoding)
        stream.close()
        return np.concatenate(parts)

    async with asyncio.timeout(LIMIT_S), opened() as pool:
        assert pool.stats().workers == ()  # none before the first stream
        whole = await run(pool, ())
        resumed = await run(pool, (len(steps) // 3, 2 * len(steps) // 3))
        assert pool.stats().jobs.done == 2 * len(steps)
    assert abs(resumed.size - whole.size) <= 2
    common = min(resumed.size, whole.size)
    difference = resumed[:common].astype(float) - whole[:common]
    # Another resampler may be a part of a sample early or late.
    assert np.sqrt((difference**2).mean()) < 0.05 * np.sqrt((whole.astype(float) ** 2).mean())


async def test_streams_do_not_mix() -> None:
    async with asyncio.timeout(LIMIT_S), opened(workers=2) as pool:
        opened_streams = []
        for codec in FrameCodec:
            frames, header = frames_of(codec)
            opened_streams.append((pool.open(codec, header, client=CLIENT), frames))
        alone = [await stream.decode(frames[:20]) for stream, frames in opened_streams]
        results = await asyncio.gather(
            *(stream.decode(frames[20:40]) for stream, frames in opened_streams)
        )
        assert all(pcm.size for pcm in (*alone, *results))
        assert len({pcm.tobytes() for pcm in results}) == len(FrameCodec)


async def test_frames_that_can_not_be_decoded_end_the_stream() -> None:
    async with asyncio.timeout(LIMIT_S), opened() as pool:
        stream = pool.open(FrameCodec.MP3, b"", client=CLIENT)
        broken = [CompressedFrame(b"no frame", 400)] * (MAX_FAILED_FRAMES // 2)
        assert not (await stream.decode(broken)).any()
        with pytest.raises(AudioError, match="MP3"):
            await stream.decode(broken)
