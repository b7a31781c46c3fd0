"""``/v1/stream``: live transcription over a WebSocket.

Where possible, errors are returned at the handshake, with an HTTP status, the JSON error body and
Retry-After: a wrong key or origin, invalid parameters, no free session, no worker.

A client sends its parameters in the query, or in ``start`` as its first text message. To resume a
session, its first text message is ``resume``. With ``?resume=1`` in the query, it is admitted when
that message has arrived, and the query's parameters apply to a new session if the server no longer
has the old one. A client that resumes a session of this server, or of its last run, is always
admitted.

With ``?waiter=ID``, a client that is refused and tries again keeps its position among those that
wait.
"""

from dataclasses import dataclass

import anyio
from fastapi import APIRouter
from msgspec import structs
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from auricle.apis.native.dialect import NativeDialect
from auricle.apis.native.wire.stream import (
    Resume,
    Start,
    decode_command,
    ignored_in_start,
    ignored_parameters,
    parse_query,
)
from auricle.server.dialect_session import Streams
from auricle.server.http.client_address import Address, client_address
from auricle.server.http.errors import CLIENT_VISIBLE_ERRORS, deny_handshake
from auricle.server.http.request_log import log_session, request_id_of, request_log
from auricle.server.live.connection import LiveConnection
from auricle.server.live.connection_end import close_gracefully, disconnect_reason, end_of, note_end
from auricle.server.live.registry import NATIVE, NO_CLAIM
from auricle.server.live.runner import LiveRunner
from auricle.server.service import Service
from auricle.system.logs import log_unexpected
from auricle.values.commands import StreamParameters
from auricle.values.errors import (
    Draining,
    IdleTimeout,
    Overloaded,
    RateLimited,
    RemoteProtocolError,
)
from auricle.values.languages import language_choice
from auricle.values.limits import MAX_ID_CHARACTERS
from auricle.values.types import ClientId

SUBPROTOCOL = "auricle"
START_S = 10.0
"""Time for the first text message, in seconds, if the query has no parameters."""

_PARAMETERS = frozenset(StreamParameters.__struct_fields__)


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter()
    streams = service.streams

    @router.websocket("/v1/stream")
    async def stream(websocket: WebSocket) -> None:
        """Accept a client, and serve it until either side closes."""
        try:
            handshake = _enter(streams, websocket)
        except Exception as error:
            await deny_handshake(websocket, error)
            return
        try:
            offered = SUBPROTOCOL in websocket.scope.get("subprotocols", [])
            await websocket.accept(SUBPROTOCOL if offered else None)
            await handshake.serve()
        except WebSocketDisconnect:
            note_end(websocket, streams.live, disconnect_reason(websocket))
        finally:
            handshake.leave()

    return router


def _enter(streams: Streams, websocket: WebSocket) -> "_StreamHandshake":
    """Check a handshake, and admit its session if the client does not resume one.

    Raises:
        AuricleError: The handshake is rejected.
    """
    client = streams.access.admit_socket(websocket)
    streams.lifecycle.check_serving()
    query = websocket.query_params
    parameters = _checked(parse_query(query))
    is_resuming = query.get("resume") == "1"
    handshake = _StreamHandshake(streams, websocket, client, parameters)
    handshake.starts_at_once = not is_resuming and not _PARAMETERS.isdisjoint(query)
    handshake.warnings = ignored_parameters(query.multi_items())
    streams.live.check(parameters)
    if handshake.starts_at_once or not streams.live.has_waiting_session(client):
        try:
            if is_resuming:
                streams.live.places.check_ready(client, parameters.model)
            else:
                handshake.admit()
        except (Overloaded, RateLimited):
            # If there are several models, `start` may name one that is ready.
            if handshake.starts_at_once or len(streams.models) == 1:
                raise
    return handshake


def _checked(parameters: StreamParameters) -> StreamParameters:
    language, languages = language_choice(parameters.language, parameters.languages)
    return structs.replace(parameters, language=language, languages=languages)


@dataclass(slots=True)
class _StreamHandshake:
    """A connection whose handshake was accepted, until its end."""

    streams: Streams
    websocket: WebSocket
    client: ClientId
    parameters: StreamParameters
    place: str | None = None
    place_model: str = ""
    starts_at_once: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def address(self) -> Address | None:
        """The client's address."""
        return client_address(self.websocket.scope)

    def admit(self, *, is_known: bool = False) -> None:
        """Admit the session with the model of the parameters, unless it is admitted.

        Args:
            is_known: Whether the client has proved that it resumes a session of this server.

        Raises:
            ModelNotFound: There is no such model.
            Overloaded: The machine holds no other speaker, or no worker is ready.
            RateLimited: The client has reached one of its limits.
        """
        model = self.streams.models.choose(self.parameters.model).option
        if self.place is not None and model == self.place_model:
            return
        self.leave()
        self.place = self.streams.live.places.admit(
            self.client,
            self.address,
            model=model,
            waiter=self.websocket.query_params.get("waiter", "")[:MAX_ID_CHARACTERS],
            is_known=is_known,
        )
        self.place_model = model

    def leave(self) -> None:
        """Free the place, unless a session has taken it over."""
        place, self.place = self.place, None
        if place is not None:
            self.streams.live.places.leave(place)

    async def serve(self) -> None:
        """Resume or start the session, and serve it."""
        first: Start | Resume | None = None
        try:
            if not self.starts_at_once:
                first = await self._first_message()
            last_result, runner = await self._session(first)
        except WebSocketDisconnect:
            raise
        except Exception as error:
            if not isinstance(error, CLIENT_VISIBLE_ERRORS):
                log_unexpected(error)
            is_drained = isinstance(error, Draining)
            end = end_of(*self.streams.live.closing_messages()) if is_drained else end_of(error)
            await close_gracefully(self.websocket, NativeDialect(), end)
        else:
            scope, session_id = self.websocket.scope, runner.session.id
            request_log(scope).details["session"] = session_id
            event = "session_started" if last_result is None else "session_resumed"
            log_session(event, scope, session_id, NATIVE)
            end = await LiveConnection(
                self.websocket,
                self.streams.live,
                runner,
                NativeDialect(),
                drain_s=self.streams.drain_s,
                warnings=self.warnings,
            ).run(last_result)
        note_end(self.websocket, self.streams.live, end)

    async def _first_message(self) -> Start | Resume:
        limit_s = min(START_S, self.streams.live.settings.idle_timeout_s)
        with anyio.move_on_after(limit_s):
            if (message := await self._receive()) is None:
                raise Draining()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1005))
            if (text := message.get("text")) is None:
                raise RemoteProtocolError("Audio received before `start` or `resume`.")
            command = decode_command(text)
            if not isinstance(command, Start | Resume):
                raise RemoteProtocolError("The first message must be `start` or `resume`.")
            if isinstance(command, Start):
                self.warnings += ignored_in_start(text)
            return command
        raise IdleTimeout(f"No `start` or `resume` received within {limit_s:g} s.")

    async def _receive(self) -> Message | None:
        """Return the next message; ``None`` if the server starts draining first."""
        message: Message | None = None

        async def watch_drain() -> None:
            await self.streams.live.draining.wait()
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(watch_drain)
            message = await self.websocket.receive()
            group.cancel_scope.cancel()
        return message

    async def _session(self, first: Start | Resume | None) -> tuple[int | None, LiveRunner]:
        live = self.streams.live
        if isinstance(first, Resume):
            if (runner := live.find(self.client, first.session, first.secret)) is not None:
                live.metrics.count_start("resumed")
                self.leave()  # the session has its place already
                return first.last_result, runner
            live.metrics.count_start("unknown")
        else:
            live.metrics.count_start("new")
        if isinstance(first, Start):
            fields = {name: getattr(first, name) for name in _PARAMETERS}
            self.parameters = _checked(StreamParameters(**fields))
        is_known = isinstance(first, Resume) and live.returns(
            self.client, first.session, first.secret
        )
        self.admit(is_known=is_known)
        assert self.place is not None
        self.warnings += self.streams.models.choose(self.parameters.model).warnings
        is_resuming = isinstance(first, Resume)
        wording = await live.wording_of(self.client, self.parameters, is_resuming=is_resuming)
        claim = NO_CLAIM
        # Without parameters in the query, a client stops this session and starts another.
        has_parameters = not _PARAMETERS.isdisjoint(self.websocket.query_params)
        if isinstance(first, Start) or (isinstance(first, Resume) and has_parameters):
            claim = await live.reclaim(self.client, first.session, first.secret)
        place, self.place = self.place, None
        group = self.streams.background
        return None, await live.open(
            group,
            self.client,
            self.parameters,
            place,
            owner=self.client,
            request_id=request_id_of(self.websocket.scope),
            is_resuming=is_resuming,
            claim=claim,
            wording=wording,
        )
