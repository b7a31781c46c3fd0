"""Workers that embed speech, by which speakers are distinguished."""

from pathlib import Path

import anyio

from auricle.config.settings import Settings
from auricle.workers.kinds.speakers.local import LocalSpeakers
from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL, check_file, digest_of
from auricle.workers.kinds.speakers.pool import SpeakerPool
from auricle.workers.kinds.speakers.settings import SpeakerSettings
from auricle.workers.spec import PoolContext, WorkerSpec


class _OpenSpeakers(LocalSpeakers):
    """Speakers with the pool that embeds their voices."""

    def __init__(self, pool: SpeakerPool, model: str) -> None:
        super().__init__(pool, model)
        self.start = pool.start
        self.aclose = pool.aclose


def _model(settings: Settings) -> Path:
    return settings.section(SpeakerSettings).speaker_model or BUNDLED_MODEL


def _check(settings: Settings) -> None:
    if settings.section(SpeakerSettings).speaker_workers:
        check_file(_model(settings))


async def _open(context: PoolContext) -> _OpenSpeakers | None:
    settings, speakers = context.settings, context.settings.section(SpeakerSettings)
    if not speakers.speaker_workers:
        return None
    pool = SpeakerPool(settings.worker, speakers, settings.queue)
    return _OpenSpeakers(pool, await anyio.to_thread.run_sync(digest_of, _model(settings)))


SPEC = WorkerSpec(_open, check=_check)
