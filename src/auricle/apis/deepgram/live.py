"""``/v1/listen`` over a WebSocket: live transcription for Deepgram's clients."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version

from fastapi import APIRouter
from starlette.websockets import WebSocket

from auricle.apis.deepgram.wire.live import DeepgramDialect, parameters_of
from auricle.apis.deepgram.wire.query import parse_listen
from auricle.apis.deepgram.wire.results import ModelInfo
from auricle.engines.models import ServedModel
from auricle.server.dialect_session import Handshake, Streams, serve_dialect
from auricle.server.http.request_log import request_id_of
from auricle.server.service import Service
from auricle.values.errors import BadRequest

_VERSION = version("auricle")  # read once: it is in a file
_INTRODUCTIONS = ("token", "bearer")


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter()

    @router.websocket("/v1/listen")
    async def listen(websocket: WebSocket) -> None:
        """Accept a client, and serve it until either side closes."""
        await serve_dialect(service.streams, websocket, "deepgram", partial(_read, service.streams))

    return router


def _read(streams: Streams, websocket: WebSocket) -> Handshake:
    items = websocket.query_params.multi_items()
    query = parse_listen(items, streams.live.settings.endpoint_ms)
    if query.callback:
        raise BadRequest("callback is not supported; results are sent over this connection.")
    choice = streams.models.choose(query.model)
    query = replace(query, warnings=(*query.warnings, *choice.warnings))
    dialect = DeepgramDialect(
        query,
        request_id=request_id_of(websocket.scope),
        created=utc_now(),
        model=model_info(choice.model),
    )
    subprotocol = introduced_subprotocol(websocket)
    return Handshake(dialect, parameters_of(query), subprotocol, query.warnings)


def introduced_subprotocol(websocket: WebSocket) -> str | None:
    """Return the subprotocol that introduces a key.

    A browser sends ``token`` or ``bearer`` and its key, and expects the first of them back.
    """
    offered = websocket.scope.get("subprotocols", [])
    is_introduced = bool(offered) and offered[0].lower() in _INTRODUCTIONS
    return offered[0] if is_introduced else None


def model_info(model: ServedModel) -> ModelInfo:
    """Return the name and version of a model for a response."""
    return ModelInfo(model.name, _VERSION, model.engine.name.lower())


def utc_now() -> str:
    """Return the current time in Deepgram's format: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
