"""Tells browsers to come over https only (HSTS, RFC 6797), if the operator wants that.

Browsers remember it, for each port of a name, and let nobody past a bad certificate then. For a
name that others serve from too, or a certificate of one's own making, that is a trap: so it is sent
only when a setting says for how long.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class StrictTransport:
    """ASGI middleware; sends the header over TLS only, our own or a trusted proxy's."""

    def __init__(self, app: ASGIApp, max_age_s: int) -> None:
        self._app, self._value = app, f"max-age={max_age_s}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "http" or scope["scheme"] != "https":
            await self._app(scope, receive, send)
            return

        async def strict_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["strict-transport-security"] = self._value
            await send(message)

        await self._app(scope, receive, strict_send)
