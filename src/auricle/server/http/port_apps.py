"""Dedicated applications for some ports of the HTTP server."""

from starlette.types import ASGIApp, Receive, Scope, Send

PORT_APP = "auricle.port_app"
"""Key of the application of a port in the ASGI state of its connections."""


class PortApps:
    """ASGI middleware that passes connections to the application of their port, if it has one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application of the connection's port."""
        app: ASGIApp = scope.get("state", {}).get(PORT_APP, self._app)
        await app(scope, receive, send)
