"""FramePool: a FrameDecoder on local processes, for live MP3, FLAC and AAC.

These workers are apart from those of files, which may be busy for a second at a time.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from auricle.config.environment import worker_environment
from auricle.config.sections.decode import DecodeSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.errors import NoWorkerReady
from auricle.values.transcriber import DecodingStream
from auricle.values.types import ClientId, CompressedFrame, FrameCodec, Pcm16
from auricle.workers.kinds.frames.messages import FROM_CHILD, StartFrames
from auricle.workers.kinds.frames.schedule import RETRY_AFTER_S, FrameSchedule, FrameStep, Stream
from auricle.workers.kinds.frames.settings import FrameSettings
from auricle.workers.poison import CrashBudget
from auricle.workers.pool import Pool
from auricle.workers.process.launch import Launch, confined_program, hard_limit_bytes

CHILD = "auricle.workers.kinds.frames.child"
PATIENCE_S = 30.0
"""Longest wait for a step, which includes restarts of workers."""


@dataclass(frozen=True, slots=True)
class _OpenStream:
    pool: "FramePool"
    stream: Stream

    async def decode(self, frames: Sequence[CompressedFrame]) -> Pcm16:
        """See :class:`auricle.values.transcriber.DecodingStream`."""
        return await self.pool.decode(self.stream, frames)

    def close(self) -> None:
        """Free what the stream holds; idempotent."""
        self.pool.close(self.stream)


class FramePool(Pool[FrameStep, Pcm16]):
    """Decode live streams in worker processes, which the first stream starts.

    Args:
        worker: Budgets, limits and backoff of workers.
        decode: The budget of a step.
        frames: Number of workers, at least 1.
        crash_budget: Crash budget that poison frames are charged to.
    """

    def __init__(
        self,
        worker: WorkerSettings,
        decode: DecodeSettings,
        frames: FrameSettings,
        crash_budget: CrashBudget,
    ) -> None:
        size = frames.frame_workers
        self._schedule = FrameSchedule(size, decode.decode_budget_s, crash_budget)
        super().__init__(
            "frame",
            self._schedule,
            Launch(
                program=lambda: confined_program(CHILD, worker, ()),
                start_message=lambda _: StartFrames(hard_limit_bytes(worker)),
                environment=worker_environment(threads=1),
                answers=FROM_CHILD,
            ),
            worker,
            size,
            is_lazy=True,
        )

    def open(self, codec: FrameCodec, header: bytes, *, client: ClientId) -> DecodingStream:
        """See :class:`auricle.values.transcriber.FrameDecoder`."""
        self.refuse_when_down()
        stream = self._schedule.open(codec, header, client, time.monotonic())
        self.prepare()
        return _OpenStream(self, stream)

    async def decode(self, stream: Stream, frames: Sequence[CompressedFrame]) -> Pcm16:
        """Return the samples of a stream's next frames."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.submit(FrameStep(stream, tuple(frames)))
        except TimeoutError:
            raise NoWorkerReady(
                "No worker decoded the audio in time; try again.", RETRY_AFTER_S
            ) from None

    def close(self, stream: Stream) -> None:
        """Forget a stream, and close it in its worker; idempotent."""
        self._schedule.close(stream)
        self._deliver()
