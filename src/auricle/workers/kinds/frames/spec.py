"""Workers that decode live MP3, FLAC and AAC."""

from auricle.workers.kinds.frames.pool import FramePool
from auricle.workers.kinds.frames.settings import FrameSettings
from auricle.workers.spec import PoolContext, WorkerSpec


async def _open(context: PoolContext) -> FramePool | None:
    settings, frames = context.settings, context.settings.section(FrameSettings)
    if not frames.frame_workers:
        return None
    return FramePool(settings.worker, settings.decode, frames, context.crash_budget)


SPEC = WorkerSpec(_open)
