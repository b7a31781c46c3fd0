"""What holds for every path: a slash at its end changes nothing, and GET can be asked as HEAD.

Clients put paths together from parts, so some end in a slash; a redirect would lose the body of a
POST in many of them. HEAD is answered as GET without the body (RFC 9110 §9.3.2): monitors ask so.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from auricle.errors import NotFound
from auricle.server.http.errors import refuse
from auricle.server.http.request_log import request_log

_IS_HEAD = "auricle.is_head"


async def serve_uniformly(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the application for a path without its last slash, and for GET where HEAD is asked."""
    if scope["type"] not in ("http", "websocket"):
        await app(scope, receive, send)
        return
    scope["path"] = without_slash(scope["path"])
    if scope["type"] == "websocket" or scope["method"] != "HEAD":
        await app(scope, receive, send)
        return
    scope["method"] = "GET"
    scope[_IS_HEAD] = True

    async def send_head(message: Message) -> None:
        scope["method"] = "HEAD"  # uvicorn sends no body then
        await send(message)

    await app(scope, receive, send_head)


def without_slash(path: str) -> str:
    """Return a path as it is routed."""
    return path.removesuffix("/") or "/"


def is_head(scope: Scope) -> bool:
    """Return whether a request that is routed as GET came as HEAD."""
    return bool(scope.get(_IS_HEAD))


async def refuse_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the handshake of a WebSocket at a path that has none, in the dialect of the path."""
    error = NotFound("There is no WebSocket at this path.")
    request_log(scope).code = error.code
    await WebSocket(scope, receive, send).send_denial_response(refuse(scope, error))
