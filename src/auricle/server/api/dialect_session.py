"""A client of another dialect, from its handshake to its end.

What can be refused is refused at the handshake, as with the native protocol, in the dialect's own
shape. The session that it gets ends with the connection.
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from auricle.errors import AuricleError
from auricle.protocol.dialect import Dialect
from auricle.protocol.ignored import warning_headers
from auricle.protocol.native.stream import StreamParameters
from auricle.server.context import ServerState
from auricle.server.http.client_address import client_address
from auricle.server.http.errors import Refusal, log_unexpected
from auricle.server.http.request_log import log_session, request_id_of, request_log
from auricle.server.live.connection import GOODBYE_S, LiveConnection, disconnect_reason, note_end


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a handshake asks for.

    Attributes:
        dialect: New for this connection.
        parameters: What its session starts with.
        subprotocol: The one of those offered that is chosen.
        warnings: Of options that have no effect; a header of the handshake reports them.
    """

    dialect: Dialect
    parameters: StreamParameters
    subprotocol: str | None = None
    warnings: tuple[str, ...] = ()


async def serve_dialect(
    websocket: WebSocket,
    name: str,
    read: Callable[[WebSocket], Handshake],
    refuse: Refusal,
) -> None:
    """Let a client in, and serve it until one side has had enough.

    Args:
        websocket: Not accepted yet.
        name: The dialect's, for metrics and logs.
        read: Reads the handshake; what it raises is a refusal.
        refuse: Returns the HTTP answer for an error, in the dialect's shape.
    """
    server: ServerState = websocket.app.state.auricle
    log = request_log(websocket.scope)
    log.details["dialect"] = name
    try:
        client = server.admit_socket(websocket)
        server.check_serving()
        welcome = read(websocket)
        room = server.live.admit(client, client_address(websocket.scope), is_resuming=False)
        group = server.running.background
        runner = await server.live.open(group, client, welcome.parameters, room)
    except Exception as error:
        if not isinstance(error, AuricleError):
            log_unexpected(error)
        log.code = error.code if isinstance(error, AuricleError) else AuricleError.code
        await websocket.send_denial_response(refuse(error, request_id_of(websocket.scope)))
        return
    server.live.metrics.count_dialect_session(name)
    log.details["session"] = runner.session.id
    log_session("session_started", websocket.scope, runner.session.id, name)
    try:
        headers = warning_headers(welcome.warnings).items()
        await websocket.accept(
            welcome.subprotocol, [(name.encode(), text.encode()) for name, text in headers]
        )
        drain_s = server.settings.drain_s - GOODBYE_S  # nobody could say the words later
        end = await LiveConnection(
            websocket, server.live, runner, welcome.dialect, drain_s=max(0.0, drain_s)
        ).run()
    except WebSocketDisconnect:
        end = disconnect_reason(websocket)
    finally:
        runner.end()
    note_end(websocket, server.live, end)
