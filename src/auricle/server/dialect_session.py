"""Serves a WebSocket client of another dialect, from its handshake to its end.

As in the native protocol, errors are returned at the handshake where possible, in the dialect's
format. The session can't be resumed: it ends with the connection.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from auricle.protocol.dialect import Dialect
from auricle.protocol.ignored import warning_headers
from auricle.server.http.client_address import client_address
from auricle.server.http.errors import deny_handshake
from auricle.server.http.request_log import log_session, request_id_of, request_log
from auricle.server.live.connection import LiveConnection, disconnect_reason, note_end
from auricle.server.service import Service
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


async def serve_dialect(
    websocket: WebSocket,
    name: str,
    read: Callable[[WebSocket], Handshake],
    keyless: ClientId | None = None,
) -> None:
    """Accept a client, and serve it until either side closes.

    Args:
        websocket: The WebSocket, not accepted yet.
        name: Name of the dialect, for metrics and logs.
        read: Parses the handshake; an error that it raises rejects the handshake.
        keyless: The client of a port without keys; ``None``: the one of the handshake's key.
    """
    server: Service = websocket.app.state.auricle
    log = request_log(websocket.scope)
    log.details["dialect"] = name
    log.client = keyless
    try:
        client = keyless or server.admit_socket(websocket)
        owner = server.keyless_owner if keyless else client
        server.lifecycle.check_serving()
        handshake = read(websocket)
        server.live.check(handshake.parameters)
        place = server.live.admit(
            client, client_address(websocket.scope), model=handshake.parameters.model
        )
        group = server.running.background
        runner = await server.live.open(
            group,
            client,
            handshake.parameters,
            place,
            source=name,
            owner=owner,
            request_id=request_id_of(websocket.scope),
        )
    except Exception as error:
        await deny_handshake(websocket, error)
        return
    server.live.metrics.count_dialect_session(name)
    log.details["session"] = runner.session.id
    log_session("session_started", websocket.scope, runner.session.id, name)
    try:
        headers = warning_headers(handshake.warnings).items()
        await websocket.accept(
            handshake.subprotocol, [(name.encode(), text.encode()) for name, text in headers]
        )
        end = await LiveConnection(
            websocket, server.live, runner, handshake.dialect, drain_s=server.connection_drain_s
        ).run()
    except WebSocketDisconnect:
        end = disconnect_reason(websocket)
    finally:
        runner.finish()
    note_end(websocket, server.live, end)
