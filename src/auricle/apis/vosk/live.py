"""Vosk's WebSocket, on a separate port: for meeting and telephony programs.

The programs connect to any path and send no key, so all of them count as one client in the queue,
and clients on other machines are accepted only if the operator allows them. The language may be in
the URL, because most programs can't send one: ``ws://host:2700/de``, or ``?language=de``.

Browsers name the page in ``Origin``; a page from another origin is rejected as everywhere. Whether
a page is the server's own is only believed for host names that no other site can own, because no
key protects this port (:mod:`auricle.server.access.origins`).
"""

from dataclasses import dataclass, replace
from functools import partial

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from auricle.apis.vosk.wire.live import VoskDialect
from auricle.apis.vosk.wire.options import VoskOptions
from auricle.engines.models import Models
from auricle.server.access.origins import Origins
from auricle.server.dialect_session import Handshake, Streams, serve_dialect
from auricle.server.http.errors import deny_handshake, refuse
from auricle.server.http.request_log import request_log
from auricle.values.errors import AuricleError, BadRequest, NotFound
from auricle.values.types import ClientId

VOSK = ClientId("vosk")
"""The client of all connections."""


@dataclass(frozen=True, slots=True)
class _Route:
    """The name of the route in metrics and logs, as for all other routes."""

    path: str = "vosk"


class VoskApp:
    """The ASGI application of Vosk's port.

    Args:
        streams: Serves the clients.
        is_open: Whether other machines may use the port.
    """

    def __init__(self, streams: Streams, *, is_open: bool) -> None:
        self._streams = streams
        self._origins: Origins = replace(streams.access.origins, has_keys=False, is_open=is_open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a Vosk client."""
        scope["route"] = _Route()
        if scope["type"] == "http":
            error = NotFound("This port serves Vosk's WebSocket only.")
            request_log(scope).code = error.code
            await refuse(scope, error)(scope, receive, send)
            return
        websocket = WebSocket(scope, receive, send)
        try:
            _check_page(self._origins, websocket)
        except AuricleError as error:
            await deny_handshake(websocket, error)
            return
        read = partial(_read, self._streams.models)
        await serve_dialect(self._streams, websocket, "vosk", read, VOSK)


def _check_page(origins: Origins, websocket: WebSocket) -> None:
    """Reject a page of another site.

    Raises:
        ForbiddenOrigin: The page's origin is not accepted.
        ForbiddenHost: The page's host name may belong to another site.
    """
    headers: Headers = websocket.headers
    if "origin" not in headers:  # not a browser
        return
    origins.check_origin(headers, websocket.scope["scheme"])
    origins.check_host(headers)


def _read(models: Models, websocket: WebSocket) -> Handshake:
    values: dict[str, object] = dict(websocket.query_params)
    options, warnings = VoskOptions().merged(values)
    if "language" in values:
        options = options.with_language(values["language"])
    else:
        options = _with_language_of_path(options, websocket.url.path)
    choice = models.choose(options.model)
    warnings += choice.warnings
    return Handshake(VoskDialect(options, warnings), options.parameters(), None, warnings)


def _with_language_of_path(options: VoskOptions, path: str) -> VoskOptions:
    """Use the language that a path ends with; other paths say nothing."""
    try:
        return options.with_language(path.rstrip("/").rpartition("/")[2])
    except BadRequest:
        return options
