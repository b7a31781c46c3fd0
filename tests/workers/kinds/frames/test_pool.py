"""Live streams in real worker processes, and the deaths of these."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from auricle.config.settings import DecodeSettings, WorkerSettings
from auricle.values.errors import (
    AudioError,
    Draining,
    Overloaded,
    PoisonJob,
    RateLimited,
    WorkerError,
)
from auricle.values.types import ClientId, CompressedFrame, FrameCodec, Pcm16
from auricle.workers.kinds.frames.messages import DecodeFrames, FramesDecoded
from auricle.workers.kinds.frames.pool import FramePool
from auricle.workers.kinds.frames.schedule import (
    MAX_FAILED_FRAMES,
    MAX_STREAMS_PER_WORKER,
    WARM_UP_FRAMES,
)
from auricle.workers.process.poison import CrashBudget
from auricle.workers.process.process import ProcessExit
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


@asynccontextmanager
async def opened(workers: int = 1) -> AsyncIterator[FramePool]:
    pool = FramePool(
        WorkerSettings.model_validate({"backoff_first_s": 0.05}),
        DecodeSettings(frame_workers=workers),
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


# The rules, without processes.


def pool_of(workers: int = 1) -> FramePool:
    return FramePool(WorkerSettings(), DecodeSettings(frame_workers=workers), CrashBudget(1, 60))


def died() -> ProcessExit:
    return ProcessExit("SIGSEGV", None, ("decode_frame",))


async def waiting(pool: FramePool) -> "tuple[asyncio.Task[Pcm16], DecodeFrames]":
    """Start a step of a new stream on worker ``w``."""
    stream = pool.open(FrameCodec.MP3, b"", client=CLIENT)
    frames = [CompressedFrame(bytes([n]), 400) for n in range(30)]
    first = asyncio.create_task(stream.decode(frames))
    await asyncio.sleep(0)
    assignment = pool.next_assignment("w", 0.0)
    assert assignment is not None
    assert isinstance(assignment.work, DecodeFrames)
    pool.received("w", FramesDecoded(bytes(24_000), 0), 0.0)
    await first
    task = asyncio.create_task(stream.decode([CompressedFrame(b"last", 400)]))
    await asyncio.sleep(0)
    assignment = pool.next_assignment("w", 0.0)
    assert assignment is not None
    assert isinstance(assignment.work, DecodeFrames)
    return task, assignment.work


async def test_after_a_death_the_frames_before_come_again_and_then_the_step() -> None:
    pool = pool_of(2)
    task, message = await waiting(pool)
    assert (message.opens, message.warm_up) == (False, ())
    pool.died("w", died(), "exited", 0.0)
    again = pool.next_assignment("other", 0.0)
    assert again is not None
    assert isinstance(again.work, DecodeFrames)
    assert again.work.opens
    assert [frame.data for frame in again.work.warm_up] == [
        bytes([n]) for n in range(30 - WARM_UP_FRAMES, 30)
    ]
    assert [frame.data for frame in again.work.frames] == [b"last"]
    pool.received("other", FramesDecoded(bytes(800), 0), 0.0)
    assert (await task).size == 400


async def test_what_is_kept_for_a_new_worker_is_bounded() -> None:
    pool = pool_of()
    stream = pool.open(FrameCodec.FLAC, b"", client=CLIENT)
    frames = [CompressedFrame(bytes([n]) * 300_000, 10) for n in range(20)]
    task = asyncio.create_task(stream.decode(frames))
    await asyncio.sleep(0)
    first = pool.next_assignment("w", 0.0)
    assert first is not None
    assert isinstance(first.work, DecodeFrames)
    pool.received("w", FramesDecoded(b"", 0), 0.0)
    await task
    pool.died("w", died(), "exited", 0.0)
    task = asyncio.create_task(stream.decode(frames[:1]))
    await asyncio.sleep(0)
    again = pool.next_assignment("w", 0.0)
    assert again is not None
    assert isinstance(again.work, DecodeFrames)
    assert [frame.data[0] for frame in again.work.warm_up] == [17, 18, 19]
    task.cancel()


async def test_frames_that_kill_workers_again_are_poison_and_are_charged() -> None:
    pool = pool_of()
    task, _ = await waiting(pool)
    pool.died("w", died(), "exited", time.monotonic())
    assert pool.next_assignment("x", 0.0) is not None
    pool.died("x", died(), "exited", time.monotonic())
    with pytest.raises(PoisonJob):
        await task
    with pytest.raises(RateLimited):
        pool.open(FrameCodec.MP3, b"", client=CLIENT)


@pytest.mark.parametrize("answer", [b"odd", bytes(80_000)])
async def test_samples_that_can_not_be_are_no_answer(answer: bytes) -> None:
    pool = pool_of()
    task, _ = await waiting(pool)
    with pytest.raises(WorkerError):
        pool.received("w", FramesDecoded(answer, 0), 0.0)
    task.cancel()


async def test_streams_are_bounded_and_closed_ones_free_their_place() -> None:
    pool = pool_of()
    streams = [pool.open(FrameCodec.AAC, b"", client=CLIENT) for _ in range(MAX_STREAMS_PER_WORKER)]
    with pytest.raises(Overloaded):
        pool.open(FrameCodec.AAC, b"", client=CLIENT)
    streams[0].close()
    streams[0].close()
    pool.open(FrameCodec.AAC, b"", client=CLIENT)


async def test_a_pool_that_closes_fails_its_streams() -> None:
    pool = pool_of()
    task, _ = await waiting(pool)
    await pool.aclose()
    with pytest.raises(Draining):
        await task
    with pytest.raises(Draining):
        pool.open(FrameCodec.MP3, b"", client=CLIENT)
