"""Readers of live sessions: events, captions as WebVTT, and HLS."""

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from auricle.apis.readers import NAME
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.live.followers import FollowerContext, SessionFollowers
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.readers import routes

    return MountedApi(routes=(ApiRoutes(routes.routes(server), tag="Live sessions"),))


def _follow(context: "FollowerContext") -> "AbstractAsyncContextManager[SessionFollowers]":
    from auricle.apis.readers.opening import open_feeds

    return open_feeds(context)


SPEC = ApiSpec(
    name=NAME,
    title="Readers",
    page="how-to/readers.md",
    mount=_mount,
    followers={NAME: _follow},
)
