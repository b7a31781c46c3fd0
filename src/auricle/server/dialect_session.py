"""Serves a WebSocket client of another dialect, from its handshake to its end.

As in the native protocol, errors are returned at the handshake where possible, in the dialect's
format. The session can't be resumed: it ends with the connection.
"""

from collections.abc import Callable
from dataclasses import dataclass

from anyio.abc import TaskGroup
from starlette.websockets import WebSocket, WebSocketDisconnect

from auricle.engines.models import Models
from auricle.protocol.dialect import Dialect
from auricle.protocol.ignored import warning_headers
from auricle.server.access.access import Access
from auricle.server.http.client_address import client_address
from auricle.server.http.errors import deny_handshake
from auricle.server.http.request_log import log_session, request_id_of, request_log
from auricle.server.lifecycle import Lifecycle
from auricle.server.live.connection import LiveConnection
from auricle.server.live.connection_end import disconnect_reason, note_end
from auricle.server.live.registry import LiveSessions
from auricle.values.commands import StreamParameters
from auricle.values.types import ClientId


@dataclass(frozen=True, slots=True)
class Handshake:
    """A parsed handshake.

    Attributes:
        dialect: A codec for this connection.
        parameters: The initial parameters of the session.
        subprotocol: The subprotocol chosen from those offered.
        warnings: Warnings about options without effect; sent in a header of the handshake.
    """

    dialect: Dialect
    parameters: StreamParameters
    subprotocol: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Streams:
    """What serves live clients.

    Attributes:
        access: Authenticates them.
        lifecycle: Whether new sessions are accepted.
        live: The sessions.
        models: The models that they may choose.
        background: Runs the sessions.
        drain_s: Time for the last finals of a connection when the server stops, in seconds.
    """

    access: Access
    lifecycle: Lifecycle
    live: LiveSessions
    models: Models
    background: TaskGroup
    drain_s: float


async def serve_dialect(
    streams: Streams,
    websocket: WebSocket,
    name: str,
    read: Callable[[WebSocket], Handshake],
    keyless: ClientId | None = None,
) -> None:
    """Accept a client, and serve it until either side closes.

    Args:
        streams: Serves the client.
        websocket: The WebSocket, not accepted yet.
        name: Name of the dialect, for metrics and logs.
        read: Parses the handshake; an error that it raises rejects the handshake.
        keyless: The client of a port without keys; ``None``: the one of the handshake's key.
    """
    live = streams.live
    log = request_log(websocket.scope)
    log.details["dialect"] = name
    log.client = keyless
    try:
        client = keyless or streams.access.admit_socket(websocket)
        owner = streams.access.keyless_owner if keyless else client
        streams.lifecycle.check_serving()
        handshake = read(websocket)
        live.check(handshake.parameters)
        wording = await live.wording_of(owner, handshake.parameters)
        place = live.places.admit(
            client, client_address(websocket.scope), model=handshake.parameters.model
        )
        runner = await live.open(
            streams.background,
            client,
            handshake.parameters,
            place,
            source=name,
            owner=owner,
            request_id=request_id_of(websocket.scope),
            wording=wording,
        )
    except Exception as error:
        await deny_handshake(websocket, error)
        return
    live.metrics.count_dialect_session(name)
    log.details["session"] = runner.session.id
    log_session("session_started", websocket.scope, runner.session.id, name)
    try:
        headers = warning_headers(handshake.warnings).items()
        await websocket.accept(
            handshake.subprotocol, [(name.encode(), text.encode()) for name, text in headers]
        )
        end = await LiveConnection(
            websocket, live, runner, handshake.dialect, drain_s=streams.drain_s
        ).run()
    except WebSocketDisconnect:
        end = disconnect_reason(websocket)
    finally:
        runner.finish()
    note_end(websocket, live, end)
