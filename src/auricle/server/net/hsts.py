"""HTTP Strict Transport Security (HSTS, RFC 6797), if the operator enables it.

Browsers remember the policy for all ports of a host name, and then reject invalid certificates
without a way to proceed. That breaks host names shared with other services, and self-signed
certificates. So the header is sent only if a setting gives its max-age.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class StrictTransport:
    """ASGI middleware that adds the header to responses over TLS, the server's or a proxy's."""

    def __init__(self, app: ASGIApp, max_age_s: int) -> None:
        self._app, self._value = app, f"max-age={max_age_s}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, adding the header to its response."""
        if scope["type"] != "http" or scope["scheme"] != "https":
            await self._app(scope, receive, send)
            return

        async def strict_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["strict-transport-security"] = self._value
            await send(message)

        await self._app(scope, receive, strict_send)
