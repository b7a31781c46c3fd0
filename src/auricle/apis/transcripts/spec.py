"""Kept transcripts: stored, listed, searched, edited and rendered."""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from auricle.apis.transcripts import NAME
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi
from auricle.values.types import ClientId

if TYPE_CHECKING:
    from auricle.config.settings import Settings
    from auricle.ledger.databases.database import Database
    from auricle.server.live.followers import FollowerContext, SessionFollowers
    from auricle.server.result_keepers import ResultKeeper
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.transcripts import routes

    return MountedApi(routes=(ApiRoutes(routes.routes(server), tag="Transcripts"),))


def _follow(context: "FollowerContext") -> "AbstractAsyncContextManager[SessionFollowers]":
    from auricle.apis.transcripts.opening import open_keeper

    return open_keeper(context)


def _result_keeper(settings: "Settings") -> "ResultKeeper":
    from auricle.apis.transcripts.job_results import result_keeper

    return result_keeper(settings)


def _forget(database: "Database", owner: ClientId) -> int:
    from auricle.apis.transcripts.stored.transcripts import Transcripts

    return Transcripts(database).forget(owner)


SPEC = ApiSpec(
    name=NAME,
    title="Kept transcripts",
    page="reference/http-api.md",
    mount=_mount,
    followers={NAME: _follow},
    result_keepers=(_result_keeper,),
    forget=(_forget,),
)
