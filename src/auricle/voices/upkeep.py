"""What becomes of stored voices that the settings do not let their keys use: they are kept.

A setting never deletes voices, because it may be wrong. They are deleted with their key, see
:attr:`.ApiSpec.forget`.
"""

import anyio
import structlog
from anyio import to_thread

from auricle.server.service import Service
from auricle.values.errors import AuricleError
from auricle.voices.labelling import NamedSpeakers
from auricle.voices.recent import RecentVoices
from auricle.voices.settings import VoicesSettings
from auricle.voices.stored import EnrolledVoices

RETRY_S = 30.0
_log = structlog.get_logger("auricle.server")


async def watch_unused(service: Service) -> None:
    """Log once how many keys have voices that are not used, and let recent voices expire.

    The latter only if this server has stored voices and knows none: otherwise
    :meth:`.RecentVoices.run` does it.
    """
    stored = EnrolledVoices(service.storage.database)
    while True:
        try:
            owners = await to_thread.run_sync(stored.owners)
            break
        except AuricleError as error:
            _log.warning("known_voices_wait", code=error.code)
        await anyio.sleep(RETRY_S)
    settings = service.settings.section(VoicesSettings)
    if unused := sum(not settings.may_know(owner) for owner in owners):
        _log.warning("known_voices_unused", keys=unused)
    if owners and not isinstance(service.workers.speakers, NamedSpeakers):
        await RecentVoices(stored, 0).run()
