"""Ignores a trailing slash and answers HEAD for every path.

Clients that join URLs from parts may add a trailing slash; on a redirect, many would lose the body
of a POST. HEAD returns the headers of GET (RFC 9110 §9.3.2); monitors use it.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from auricle.server.http.errors import deny_handshake
from auricle.values.errors import NotFound

_IS_HEAD = "auricle.is_head"


async def serve_uniformly(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the application with the trailing slash removed, and with GET in place of HEAD."""
    scope["path"] = without_slash(scope["path"])
    if scope["type"] == "websocket" or scope["method"] != "HEAD":
        await app(scope, receive, send)
        return
    scope["method"] = "GET"
    scope[_IS_HEAD] = True

    async def send_head(message: Message) -> None:
        scope["method"] = "HEAD"  # so that uvicorn sends no body
        await send(message)

    await app(scope, receive, send_head)


def without_slash(path: str) -> str:
    """Return a path without its trailing slash."""
    return path.removesuffix("/") or "/"


def is_head(scope: Scope) -> bool:
    """Return whether a request that is routed as GET is a HEAD request."""
    return bool(scope.get(_IS_HEAD))


async def refuse_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Reject a WebSocket handshake at a path without one, in the format of its dialect."""
    error = NotFound("No WebSocket at this path.")
    await deny_handshake(WebSocket(scope, receive, send), error)
