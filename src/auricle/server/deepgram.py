"""``/v1/listen`` over a WebSocket: live speech for Deepgram's clients."""

import uuid
from datetime import UTC, datetime
from importlib.metadata import version

from fastapi import APIRouter
from starlette.responses import Response
from starlette.websockets import WebSocket

from auricle.protocol.deepgram import DeepgramDialect, parameters_of
from auricle.protocol.deepgram_query import parse_listen
from auricle.protocol.deepgram_results import Model
from auricle.server.deepgram_errors import refusal
from auricle.server.guest import Welcome, serve_guest
from auricle.server.state import ServerState

_INTRODUCTIONS = ("token", "bearer")

router = APIRouter()


@router.websocket("/v1/listen")
async def listen(websocket: WebSocket) -> None:
    """Let a client in, and serve it until one side has had enough."""
    request_id = str(uuid.uuid4())

    def read(websocket: WebSocket) -> Welcome:
        asked = parse_listen(websocket.query_params.multi_items())
        dialect = DeepgramDialect(
            asked, request_id=request_id, created=now(), model=model_of(state(websocket))
        )
        return Welcome(dialect, parameters_of(asked), _subprotocol(websocket))

    def refuse(error: BaseException) -> Response:
        return refusal(error, request_id)

    await serve_guest(websocket, "deepgram", read, refuse)


def _subprotocol(websocket: WebSocket) -> str | None:
    """Return what a browser has to be answered that gave its key as the second one."""
    offered = websocket.scope.get("subprotocols", [])
    return offered[0] if offered and offered[0].lower() in _INTRODUCTIONS else None


def state(websocket: WebSocket) -> ServerState:
    """Return the application's parts."""
    server: ServerState = websocket.app.state.auricle
    return server


def model_of(server: ServerState) -> Model:
    """Return what recognises."""
    return Model(server.transcriber.stats().model, version("auricle"))


def now() -> str:
    """Return the time as Deepgram has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
