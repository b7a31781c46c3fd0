"""Wyoming over TCP: Home Assistant's protocol for voice services.

Each utterance is a live session, served by a :class:`LiveConnection`; events between utterances are
answered here. ``describe`` is answered even if no worker is ready.

Wyoming has no authentication: all its clients count as one in the queue, and clients on other
machines are accepted only if the operator allows them.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Sequence

import anyio
import anyio.lowlevel
import structlog
from anyio.abc import TaskGroup
from starlette.types import Message, Scope
from starlette.websockets import WebSocketDisconnect

import auricle
from auricle.apis.wyoming.model_choice import with_model
from auricle.apis.wyoming.wire.events import DescribedModel, WyomingDialect, info_event
from auricle.apis.wyoming.wire.framing import error_event
from auricle.protocol.dialect import Reply
from auricle.server.access.connection_limits import Peer
from auricle.server.dialect_session import Streams
from auricle.server.http.client_address import client_address
from auricle.server.http.errors import CLIENT_LEFT_STATUS, CLIENT_VISIBLE_ERRORS
from auricle.server.http.request_log import log_session, request_log
from auricle.server.lifecycle import RETRY_S
from auricle.server.live.connection import LiveConnection
from auricle.server.live.connection_end import CLIENT_LEFT, DONE, end_of, note_end
from auricle.server.net.listen import ACCEPTS_AT_ONCE, BACKLOG
from auricle.server.net.loop_budget import TimeShare
from auricle.server.net.peer import PEER_EXTENSION
from auricle.server.net.uvicorn_overrides.websocket import READ_BYTES, WRITE_BUFFER_BYTES
from auricle.server.telemetry.metrics import Metrics
from auricle.system.logs import log_unexpected
from auricle.values.commands import StreamParameters
from auricle.values.errors import (
    AuricleError,
    Draining,
    IdleTimeout,
    NoWorkerReady,
    Overloaded,
    ServerFull,
)
from auricle.values.types import ClientId, do_nothing

WYOMING = ClientId("wyoming")
"""The client of all connections."""
MAX_CONNECTIONS = 256
"""Maximum open connections, most of them idle; an utterance also needs a live session."""
SEND_S = 5.0
"""Maximum time to send a reply between utterances, in seconds."""
LINGER_S = 5.0
"""Time that a rejected client that still sends audio has to read the error, in seconds."""
ADMISSION_WAIT_S, ADMISSION_POLL_S = 10.0, 0.1
"""Time for which an utterance waits for a worker or for the end of another one. A worker that died
is replaced within 3 s, and a person's next utterance may begin before the text of the last one."""

_log = structlog.get_logger("auricle.server")


class WyomingServer:
    """Serves Wyoming's clients while the application runs.

    Args:
        streams: Serves the utterances.
        metrics: Count them.
        ends_commands: Whether the server ends commands, and does not wait for ``audio-stop``.
        names: Returns the hot words of all commands.
    """

    def __init__(
        self,
        streams: Streams,
        metrics: Metrics,
        *,
        ends_commands: bool = False,
        names: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._streams = streams
        self._metrics = metrics
        self._ends_commands, self._names = ends_commands, names
        self._connections = 0

    async def serve(self, sockets: Sequence[socket.socket]) -> None:
        """Accept and serve clients until cancelled; closes the sockets at the end."""
        async with contextlib.AsyncExitStack() as stack, anyio.create_task_group() as group:

            def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                self._accept(_Pipe(reader, writer), group)

            for listening in sockets:
                listener = await asyncio.start_server(
                    accept, sock=listening, limit=READ_BYTES, backlog=ACCEPTS_AT_ONCE
                )
                listening.listen(BACKLOG)
                stack.callback(listener.close)
            await anyio.sleep_forever()

    def _accept(self, pipe: "_Pipe", group: TaskGroup) -> None:
        error = self._streams.access.connection_limiter.refusal(pipe.peer)
        if self._connections >= MAX_CONNECTIONS:
            error = Overloaded("The server has reached its limit of Wyoming connections.", RETRY_S)
        if error is not None:
            pipe.refuse(error)
            return
        self._connections += 1
        group.start_soon(self._serve, pipe)

    def _described(self) -> list[DescribedModel]:
        return [
            DescribedModel(
                model.name,
                model.engine.name,
                model.engine.languages,
                model.engine.author,
                model.engine.url,
            )
            for model in self._streams.models
        ]

    async def _serve(self, pipe: "_Pipe") -> None:
        ends_commands = self._ends_commands
        info = info_event(self._described(), auricle.__version__, ends_commands=ends_commands)
        dialect = WyomingDialect(info, ends_commands=ends_commands, names=self._names)
        try:
            await _Connection(self._streams, self._metrics, pipe, dialect).run()
        except Exception as error:
            log_unexpected(error)
        finally:
            self._connections -= 1
            await pipe.close()


class _Pipe:
    """A TCP connection; the :class:`auricle.server.net.peer.Peer` of its utterances."""

    violation_code: int | None = None
    has_more = True  # unknown, and finding it out would cost an event loop iteration
    read_interval_s = 0.0  # without effect: clients send chunks of 64 ms

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.peer: Peer = tuple((writer.get_extra_info("peername") or ("", 0))[:2])
        self.received_at = time.monotonic()
        writer.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    async def receive(self) -> bytes:
        """Return received data; empty if the client has closed its side."""
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError:
            return b""
        self.received_at = time.monotonic()
        return data

    async def send(self, text: str) -> None:
        """Send an event completely, or not at all if cancelled.

        Raises:
            OSError: The client has disconnected.
        """
        await self._writer.drain()
        self._writer.write(text.encode())

    def take_binary(self) -> list[bytes]:
        """Return nothing: data is read as it arrives."""
        return []

    def give_up(self, code: int, reason: str) -> None:
        """Abort the connection."""
        self._writer.transport.abort()

    def refuse(self, error: AuricleError) -> None:
        """Send an error, and close at once."""
        self._writer.write(error_event(error.code, str(error)).encode())
        self._writer.close()

    async def linger(self) -> None:
        """Close the sending side, and discard received data until the client closes.

        Closing a socket with unread bytes would discard data that was sent.
        """
        with contextlib.suppress(OSError), anyio.move_on_after(LINGER_S):
            self._writer.write_eof()
            while await self._reader.read(READ_BYTES):
                await anyio.lowlevel.checkpoint()

    async def close(self) -> None:
        """Close; data that the client doesn't read in time is lost."""
        self._writer.close()
        with contextlib.suppress(OSError), anyio.move_on_after(SEND_S):
            await self._writer.wait_closed()
            return
        self._writer.transport.abort()


class _Connection:
    """One client: a sequence of utterances."""

    def __init__(
        self, streams: Streams, metrics: Metrics, pipe: _Pipe, dialect: WyomingDialect
    ) -> None:
        self._streams = streams
        self._metrics = metrics
        self._pipe = pipe
        self._dialect = dialect
        self._share = TimeShare(time.monotonic())
        self.has_ended = False

    async def run(self) -> None:
        """Serve until either side closes."""
        try:
            await self._converse()
        except OSError:
            return
        except CLIENT_VISIBLE_ERRORS as error:
            failed = self._dialect.closing_messages(end_of(error))
            with contextlib.suppress(OSError), anyio.move_on_after(SEND_S):
                for text in failed.texts:
                    await self._pipe.send(text)
        if not self.has_ended:
            await self._pipe.linger()

    async def _converse(self) -> None:
        data = b""
        while True:
            began_at = time.monotonic()
            for step in self._dialect.receive_bytes(data):
                if isinstance(step, Reply):  # the only step outside of an utterance
                    await self._answer(step)
            if self._dialect.requested is not None:
                parameters = with_model(self._dialect.requested, self._streams.models)
                if not await self._serve_utterance(parameters):
                    return
                data = b""
                continue
            if self.has_ended:
                return
            await anyio.sleep(self._share.pause_s(began_at, time.monotonic()))
            data = await self._next_data()
            if not data:
                self.has_ended = True
                return

    async def _answer(self, reply: Reply) -> None:
        with anyio.move_on_after(SEND_S):
            for text in reply.texts:
                await self._pipe.send(text)
            return
        raise IdleTimeout("The client is not reading fast enough; its send buffer is full.")

    async def _next_data(self) -> bytes:
        limit_s = self._streams.live.settings.idle_timeout_s
        with anyio.move_on_after(limit_s):
            return await self._pipe.receive()
        raise IdleTimeout(f"No data received for {limit_s:g} s.")

    async def _serve_utterance(self, parameters: StreamParameters) -> bool:
        """Serve an utterance as a session, and return whether another one may follow.

        Raises:
            AuricleError: The session was rejected, or the server is shutting down.
        """
        began_at = time.monotonic()
        utterance = _WyomingSocket(self, self._pipe, self._dialect)
        log = request_log(utterance.scope)
        log.client = WYOMING
        status = 200
        try:
            with self._streams.lifecycle.request_scope():  # cancelled when draining is over
                return await self._listen(parameters, utterance)
            raise Draining()
        except AuricleError as error:
            log.code, status = error.code, error.http_status
            raise
        except anyio.get_cancelled_exc_class():
            status = CLIENT_LEFT_STATUS
            raise
        finally:
            self._metrics.count_request("TCP", "wyoming", status, log.code)
            duration_ms = round((time.monotonic() - began_at) * 1000, 1)
            _log.info(
                "request", route="wyoming", status=status, duration_ms=duration_ms, **log.line()
            )

    async def _listen(self, parameters: StreamParameters, utterance: "_WyomingSocket") -> bool:
        live, log = self._streams.live, request_log(utterance.scope)
        self._streams.lifecycle.check_serving()
        address = client_address(utterance.scope)
        owner = self._streams.access.keyless_owner
        wording = await live.wording_of(owner, parameters)
        place = await self._admit(
            lambda: live.places.admit(WYOMING, address, model=parameters.model, speaks=True)
        )
        runner = await live.open(
            self._streams.background,
            WYOMING,
            parameters,
            place,
            source="wyoming",
            owner=owner,
            wording=wording,
        )
        live.metrics.count_dialect_session("wyoming")
        log.details["session"] = runner.session.id
        log_session("session_started", utterance.scope, runner.session.id, "wyoming")
        self._dialect.begin()
        utterance.report_progress = runner.send_progress
        try:
            end = await LiveConnection(
                utterance,
                live,
                runner,
                self._dialect,
                drain_s=self._streams.drain_s,
                lets_finish=True,
            ).run()
        finally:
            runner.finish()
        note_end(utterance, live, end)
        has_failed = self._dialect.has_failed
        self._dialect.finish()
        self.has_ended |= end is CLIENT_LEFT
        return end is DONE and not has_failed

    async def _admit(self, admit: Callable[[], str]) -> str:
        """Return a place; workers and places are waited for, as no client tries again."""
        with anyio.move_on_after(ADMISSION_WAIT_S):
            while True:
                try:
                    return admit()
                except (NoWorkerReady, ServerFull):
                    await anyio.sleep(ADMISSION_POLL_S)
        return admit()


class _WyomingSocket:
    """Stands in for a WebSocket in :class:`LiveConnection`; never closes the connection.

    Attributes:
        report_progress: Makes the session report how much audio it has processed.
    """

    def __init__(self, connection: _Connection, pipe: _Pipe, dialect: WyomingDialect) -> None:
        self.scope: Scope = {
            "type": "wyoming",
            "client": pipe.peer,
            "extensions": {PEER_EXTENSION: {"peer": pipe}},
        }
        self._connection = connection
        self._pipe = pipe
        self._dialect = dialect
        self._has_begun = False
        self._reading = anyio.CancelScope()
        self.report_progress: Callable[[], None] = do_nothing

    async def receive(self) -> Message:
        """Return received data; the first call returns what was read before."""
        if self._has_begun:
            if self._dialect.awaits_silence:
                self.report_progress()
            if self._dialect.has_pending_event:
                await anyio.sleep_forever()
            if not self._connection.has_ended:
                await self._read()
            if self._connection.has_ended and self._dialect.has_pending_answer:
                await anyio.sleep_forever()  # the client may have closed only its sending side
            if self._connection.has_ended:
                return {"type": "websocket.disconnect", "code": 1005}
        self._has_begun = True
        return {"type": "websocket.receive", "bytes": b""}

    async def _read(self) -> None:
        with anyio.CancelScope() as self._reading:
            if self._dialect.wants_stop:
                return
            data = await self._pipe.receive()
            # The utterance may be over by now; then the data is for the connection.
            self._dialect.put(data)
            self._connection.has_ended = not data

    async def send_text(self, data: str) -> None:
        """Send an event, and stop reading if the command ends with it.

        Raises:
            WebSocketDisconnect: The client has disconnected.
        """
        try:
            await self._pipe.send(data)
        except OSError as error:
            raise WebSocketDisconnect(1006) from error
        if self._dialect.wants_stop:
            self._reading.cancel()

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Do nothing: :class:`_Connection` decides whether the TCP connection closes."""
