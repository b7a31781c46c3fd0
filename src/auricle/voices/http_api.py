"""Known voices: people whom a key's transcripts name, because they have agreed to it."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi
from auricle.values.types import ClientId
from auricle.voices import NAME

if TYPE_CHECKING:
    from auricle.config.settings import Settings
    from auricle.ledger.databases.database import Database
    from auricle.server.recognition import Recognition
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.voices import routes
    from auricle.voices.changes import VoiceChanges
    from auricle.voices.labelling import NamedSpeakers
    from auricle.voices.stored import EnrolledVoices
    from auricle.voices.upkeep import watch_unused

    changes = VoiceChanges(EnrolledVoices(server.storage.database), server.live.followers.values())
    speakers = server.workers.speakers
    runs = (speakers.books.run, speakers.recent.run) if isinstance(speakers, NamedSpeakers) else ()
    return MountedApi(
        routes=(ApiRoutes(routes.routes(server, changes), tag="Known voices"),),
        tasks=(partial(watch_unused, server), changes.run, *runs),
    )


def _recognition(
    settings: "Settings", database: "Database", recognition: "Recognition"
) -> "Recognition":
    from auricle.voices.labelling import NamedSpeakers
    from auricle.voices.settings import VoicesSettings
    from auricle.voices.stored import EnrolledVoices

    own, speakers = settings.section(VoicesSettings), recognition.speakers
    if not own.known_voices or not speakers.is_available:
        return recognition
    return replace(recognition, speakers=NamedSpeakers(speakers, own, EnrolledVoices(database)))


def _forget(database: "Database", owner: ClientId) -> int:
    from auricle.voices.stored import EnrolledVoices

    return EnrolledVoices(database).forget(owner)


API = ApiSpec(
    name=NAME,
    title="Known voices",
    page="how-to/speakers.md",
    mount=_mount,
    recognition=(_recognition,),
    forget=(_forget,),
)
