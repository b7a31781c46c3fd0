"""Vocabularies: stored for each key, and applied to its sessions and files."""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi
from auricle.values.types import ClientId
from auricle.vocabularies import NAME

if TYPE_CHECKING:
    from auricle.config.settings import Settings
    from auricle.ledger.databases.database import Database
    from auricle.server.live.followers import FollowerContext, SessionFollowers
    from auricle.server.recognition import Recognition
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.vocabularies import routes

    return MountedApi(routes=(ApiRoutes(routes.routes(server)),))


def _recognition(
    settings: "Settings", database: "Database", recognition: "Recognition"
) -> "Recognition":
    from auricle.vocabularies.source import VocabularySource
    from auricle.vocabularies.stored import Vocabularies

    return replace(recognition, wordings=VocabularySource(Vocabularies(database)))


def _forget(database: "Database", owner: ClientId) -> int:
    from auricle.vocabularies.stored import Vocabularies

    return Vocabularies(database).forget(owner)


def _follow(context: "FollowerContext") -> "AbstractAsyncContextManager[SessionFollowers]":
    from auricle.vocabularies.source import counts_of

    return counts_of(context.wordings).opened()


API = ApiSpec(
    name=NAME,
    title="Vocabularies",
    page="how-to/vocabularies.md",
    mount=_mount,
    followers={NAME: _follow},
    recognition=(_recognition,),
    forget=(_forget,),
)
