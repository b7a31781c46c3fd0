"""Readers of live sessions: events, captions as WebVTT, and HLS."""

import time
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from auricle.apis.readers import NAME
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi
from auricle.values.types import ClientId

if TYPE_CHECKING:
    from auricle.ledger.databases.database import Database
    from auricle.server.live.followers import FollowerContext, SessionFollowers
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.readers import routes

    return MountedApi(routes=(ApiRoutes(routes.routes(server), tag="Live sessions"),))


def _follow(context: "FollowerContext") -> "AbstractAsyncContextManager[SessionFollowers]":
    from auricle.apis.readers.opening import open_feeds

    return open_feeds(context)


def _forget(database: "Database", owner: ClientId) -> int:
    from auricle.apis.readers.log import TOUCH_S
    from auricle.apis.readers.stored_feeds import StoredFeeds

    return StoredFeeds(database).forget(owner, time.time() - 2 * TOUCH_S)


SPEC = ApiSpec(
    name=NAME,
    title="Readers",
    page="how-to/readers.md",
    mount=_mount,
    followers={NAME: _follow},
    forget=(_forget,),
)
