"""``/v2/listen``: turns of speech for Deepgram's Flux clients."""

from dataclasses import replace
from functools import partial

from fastapi import APIRouter
from starlette.websockets import WebSocket

from auricle.apis.deepgram.live import introduced_subprotocol
from auricle.apis.deepgram.wire.flux import FluxDialect
from auricle.apis.deepgram.wire.flux_query import parameters_of, parse_listen_turns
from auricle.server.dialect_session import Handshake, Streams, serve_dialect
from auricle.server.http.request_log import request_id_of
from auricle.server.service import Service


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter()

    @router.websocket("/v2/listen")
    async def listen(websocket: WebSocket) -> None:
        """Accept a client, and serve it until either side closes."""
        await serve_dialect(service.streams, websocket, "flux", partial(_read, service.streams))

    return router


def _read(streams: Streams, websocket: WebSocket) -> Handshake:
    query = parse_listen_turns(websocket.query_params.multi_items())
    choice = streams.models.choose(query.model)
    query = replace(query, warnings=(*query.warnings, *choice.warnings))
    dialect = FluxDialect(query, request_id=request_id_of(websocket.scope))
    subprotocol = introduced_subprotocol(websocket)
    return Handshake(dialect, parameters_of(query), subprotocol, query.warnings)
