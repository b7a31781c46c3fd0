"""Dedicated applications for some ports of the HTTP server."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class PortApps:
    """ASGI middleware that passes the connections of some ports to other applications.

    Args:
        app: Serves all other connections.
        apps: The other applications by the number of their port; ports are added once they
            listen.
    """

    def __init__(self, app: ASGIApp, apps: Mapping[int, ASGIApp]) -> None:
        self._app, self._apps = app, apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application of the connection's port."""
        app = self._app
        if scope["type"] != "lifespan":
            app = self._apps.get((scope.get("server") or ("", 0))[1], app)
        await app(scope, receive, send)
