"""Workers that embed speech, by which speakers are distinguished."""

from auricle.config.settings import Settings
from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL, check_file
from auricle.workers.kinds.speakers.pool import SpeakerPool
from auricle.workers.spec import PoolContext, WorkerSpec


def _check(settings: Settings) -> None:
    if settings.speakers.speaker_workers:
        check_file(settings.speakers.speaker_model or BUNDLED_MODEL)


async def _open(context: PoolContext) -> SpeakerPool | None:
    settings = context.settings
    if not settings.speakers.speaker_workers:
        return None
    return SpeakerPool(settings.worker, settings.speakers, settings.queue)


SPEC = WorkerSpec(_open, check=_check)
