"""Workers that decode live MP3, FLAC and AAC."""

from auricle.workers.kinds.frames.pool import FramePool
from auricle.workers.spec import PoolContext, WorkerSpec


async def _open(context: PoolContext) -> FramePool | None:
    worker, decode = context.settings.worker, context.settings.decode
    return FramePool(worker, decode, context.crash_budget) if decode.frame_workers else None


SPEC = WorkerSpec(_open)
