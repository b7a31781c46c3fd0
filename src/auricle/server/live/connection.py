"""One WebSocket of a live session: bytes in, events out, until one side has had enough.

Four tasks: one reads, one writes, one watches the clock, one waits for the server to go. The first
that finds a reason ends the connection, and the reason is told to the client in the words of its
dialect. The session outlives the connection if the dialect lets clients come back.

Where the server ends a connection whose speech nobody can continue, the open utterance is
transcribed first, and its final is the last result (docs/decisions/031).
"""

import contextlib
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Protocol

import anyio
from starlette.types import Message, Scope
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from auricle.audio.g711 import alaw_to_pcm16, mulaw_to_pcm16
from auricle.errors import (
    AuricleError,
    BadRequest,
    IdleTimeout,
    Overloaded,
    RemoteProtocolError,
    TakenOver,
)
from auricle.events import Closed, Failed, SessionEvent, Warned, WarningCode
from auricle.protocol.dialect import Companded, Dialect, End, Law, OutboundItem, Reply, Step
from auricle.server.http.errors import (
    CLIENT_VISIBLE_ERRORS,
    error_body,
    log_unexpected,
    retry_after_s,
)
from auricle.server.http.request_log import request_log
from auricle.server.live.native_dialect import NativeDialect
from auricle.server.live.outbox import Outbox
from auricle.server.live.registry import LiveSessions
from auricle.server.live.runner import LiveRunner
from auricle.server.net.loop_budget import TimeShare
from auricle.server.net.websocket import peer_of

__all__ = ["End", "LiveConnection", "Socket"]

GOODBYE_S = 1.0
"""How long what is left may take to be sent when a connection ends."""
DRAIN_S = 2.0
"""How long finals of utterances that have ended are waited for when the server goes: a client that
comes back gets them from the next one."""
LAST_FINAL_S = 10.0
"""Longest wait for the last final of a connection that the server ends."""
SIGN_OF_LIFE_S = 2.0
"""A client whose messages are not read gets its marks this often: pings are not read either, and it
would take the server for gone."""
MAX_BAD_MESSAGES = 10
"""So many text messages of one connection may be wrong; then it is closed."""
SLOW_RETRY_S = 1


DONE = End("done", 1000)
CLIENT_LEFT = End("client_left", 1000)
_VIOLATIONS = {1007: "bad_text", 1009: "too_large"}
_EXPAND = {Law.MU: mulaw_to_pcm16, Law.A: alaw_to_pcm16}


class Socket(Protocol):
    """What is needed of a WebSocket, or of whatever else passes messages on as one does (ASGI)."""

    @property
    def scope(self) -> Scope:
        """The connection's."""
        ...

    async def receive(self) -> Message:
        """Return the next message: ``text`` or ``bytes``, or ``websocket.disconnect``."""
        ...

    async def send_text(self, data: str) -> None:
        """Send a message.

        Raises:
            WebSocketDisconnect: The client has left.
        """
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the connection."""
        ...


def end_of(error: BaseException, after_s: float | None = None) -> End:
    """Return how an error ends a connection: the only place that knows."""
    known = error if isinstance(error, CLIENT_VISIBLE_ERRORS) else AuricleError()
    return End(known.code, known.close_code, failed_of(error, after_s))


def failed_of(error: BaseException, after_s: float | None = None) -> Failed:
    """Return what a client is told of an error."""
    body = error_body(error)
    return Failed(
        code=str(body["code"]),
        message=str(body["message"]),
        retryable=bool(body["retryable"]),
        retry_after_s=retry_after_s(error) if after_s is None else after_s,
    )


def disconnect_reason(websocket: Socket) -> End:
    """Return how a connection ended that is gone: its client left, or broke WebSocket itself."""
    peer = peer_of(websocket.scope)
    if peer is None or peer.violation_code is None:
        return CLIENT_LEFT
    code = peer.violation_code
    return End(_VIOLATIONS.get(code, RemoteProtocolError.code), code)


def note_end(websocket: Socket, live: LiveSessions, end: End) -> None:
    """Note for metrics and the log how a connection ended."""
    log = request_log(websocket.scope)
    log.details["end"] = end.how
    if end.failed is not None:
        log.code = end.how
    live.metrics.count_end(end.how)


async def close_gracefully(
    websocket: Socket, end: End, left: Iterable[OutboundItem] = (), dialect: Dialect | None = None
) -> None:
    """Send what is left and the reason, and close; a client that doesn't read is cut off."""
    dialect = dialect or NativeDialect()
    texts = [text for said in left for text in _texts(dialect, said)]
    closing_messages = dialect.closing_messages(end)
    gone = contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected)
    with anyio.move_on_after(GOODBYE_S) as patience, gone:
        for text in (*texts, *closing_messages.texts):
            await websocket.send_text(text)
        await websocket.close(closing_messages.close_code, closing_messages.reason)
    peer = peer_of(websocket.scope)
    if patience.cancelled_caught and peer is not None:
        peer.give_up(closing_messages.close_code, closing_messages.reason)


def _texts(dialect: Dialect, said: OutboundItem) -> Iterable[str]:
    return said.texts if isinstance(said, Reply) else dialect.encode(said)


class LiveConnection:
    """A connection that has been accepted and has a session; see the module.

    Args:
        websocket: Accepted.
        live: Where its session is.
        runner: Its session.
        dialect: How its client talks; the native protocol if there is none.
        drain_s: Longest wait for finals when the server shuts down. Clients that resume on the
            next server wait ``DRAIN_S`` at most.
        hears_out: When the server shuts down, the client may finish speaking, in the part of
            ``drain_s`` that the last final does not need.
        warnings: Of options that have no effect; they follow the first event.
    """

    def __init__(
        self,
        websocket: Socket,
        live: LiveSessions,
        runner: LiveRunner,
        dialect: Dialect | None = None,
        *,
        drain_s: float = DRAIN_S,
        hears_out: bool = False,
        warnings: Sequence[str] = (),
    ) -> None:
        self._warnings = warnings
        self._drain_s = drain_s
        self._hears_out = hears_out
        self._websocket = websocket
        self._live = live
        self._runner = runner
        self._dialect = dialect or NativeDialect()
        self._peer = peer_of(websocket.scope)
        self._outbox = Outbox(keeps_news=not self._dialect.is_resumable)
        self._on_its_way: deque[str] = deque()
        self._news = anyio.Event()
        self._end: End | None = None
        self._tasks = anyio.CancelScope()
        self._reader = anyio.CancelScope()
        self._has_read = anyio.Event()
        self._is_read_out = False
        self._is_concluded = False
        self._reading_since: float | None = None
        self._share = TimeShare(time.monotonic())
        self._bad_messages = 0

    async def run(self, last_result: int | None = None) -> End:
        """Serve until the end, and return why it came.

        Args:
            last_result: The last final that the client has, if it comes back.
        """
        try:
            with self._blaming():
                self._runner.attach(self, last_result)
                for warning in self._warnings:
                    self._put(Warned(WarningCode.IGNORED_OPTION, warning))
                self._outbox.limit()
            with self._tasks:
                async with anyio.create_task_group() as group:
                    for task in (self._read, self._write, self._watch_idle, self._watch_drain):
                        group.start_soon(self._run_task, task)
            if self._end is not None and self._needs_last_final(self._end):
                with anyio.move_on_after(LAST_FINAL_S):
                    await self._conclude()
        finally:
            if not self._dialect.is_resumable:
                self._runner.end()
            self._runner.detach(self)
            self._live.metrics.dropped_partials.inc(self._outbox.dropped_partials)
        end = self._end or CLIENT_LEFT
        if end is not CLIENT_LEFT:
            # What was on its way goes first: a client that gets the final after a missing one
            # would acknowledge both.
            left: list[OutboundItem] = [Reply(tuple(self._on_its_way))]
            while (said := self._outbox.next_event()) is not None:
                left.append(said)
            await close_gracefully(self._websocket, end, left, self._dialect)
        return end

    # What the session tells it.

    def deliver(self, event: SessionEvent) -> None:
        """Take an event; see :class:`auricle.server.live.runner.Listener`."""
        self._put(event)

    def dismiss(self, error: AuricleError) -> None:
        """End the connection; see :class:`auricle.server.live.runner.Listener`."""
        self._finish(end_of(error))

    def _put(self, said: OutboundItem) -> None:
        self._outbox.put(said)
        self._news.set()
        if self._outbox.is_overrun:
            self.dismiss(Overloaded("You read too slowly: results don't fit.", SLOW_RETRY_S))

    # Its tasks.

    async def _run_task(self, task: Callable[[], Awaitable[None]]) -> None:
        with self._blaming():
            await task()

    @contextlib.contextmanager
    def _blaming(self) -> Iterator[None]:
        """Turn an error into the end of this connection, and of nothing else."""
        try:
            yield
        except WebSocketDisconnect:
            self._finish(disconnect_reason(self._websocket))
        except CLIENT_VISIBLE_ERRORS as error:
            self._finish(end_of(error))
        except Exception as error:
            log_unexpected(error, session=self._runner.session.id)
            self._finish(end_of(error))
            self._runner.end()  # nobody knows what state it is in

    @property
    def _has_ended(self) -> bool:
        return self._end is not None

    @property
    def _can_resume(self) -> bool:
        """Whether another connection can continue the speech of this one."""
        return self._dialect.is_resumable and self._runner.session.is_resumable

    def _needs_last_final(self, end: End) -> bool:
        """Whether the open utterance is to be transcribed before the connection is closed.

        Not where another connection may continue it, and not where the client doesn't read.
        """
        if end in (CLIENT_LEFT, DONE) or end.how == TakenOver.code or self._outbox.is_overrun:
            return False
        return not self._can_resume

    async def _conclude(self) -> None:
        """Transcribe what was said, as nothing more comes."""
        if self._is_concluded:
            return
        self._is_concluded = True
        with self._blaming():
            await self._runner.until_wanted()  # what was read already
            self._runner.conclude()
            await self._runner.until_settled()

    def _finish(self, end: End) -> None:
        if self._end is None:
            self._end = end
            self._tasks.cancel()

    async def _read(self) -> None:
        with self._reader:
            while True:
                self._reading_since = time.monotonic()
                message = await self._websocket.receive()
                if self._end is not None:  # it woke us before we were cancelled: another may have
                    return  # the session by now, and a message of ours would garble its stream
                self._reading_since = None
                if message["type"] == "websocket.disconnect":
                    raise WebSocketDisconnect(message.get("code", 1005))
                await self._work_off(message)
                if self._is_read_out or self._has_ended:
                    break  # as above
        self._has_read.set()

    async def _work_off(self, message: Message) -> None:
        """Do what a message asks for, with a pause after each step."""
        began_at, taken = time.monotonic(), 0
        try:
            for step in self._steps_of(message):
                if taken:
                    await self._give_way(began_at, has_more=True)
                    if self._end is not None:
                        return
                    began_at = time.monotonic()
                self._take(step)
                taken += 1
        except BadRequest as error:
            self._bad_messages += 1
            if self._bad_messages >= MAX_BAD_MESSAGES:
                raise
            self.deliver(failed_of(error))
        await self._give_way(began_at, has_more=self._peer is None or self._peer.has_more)

    def _steps_of(self, message: Message) -> Iterable[Step]:
        if (data := message.get("bytes")) is not None:
            return self._dialect.receive_bytes(data)
        return self._dialect.receive_text(message["text"])

    def _take(self, step: Step) -> None:
        match step:
            case bytes():
                self._take_audio(step)
            case Companded(data, law):
                self._take_audio(_EXPAND[law](data))
            case Reply():
                self._put(step)
            case _:
                self._runner.receive_command(step)

    def _take_audio(self, data: bytes) -> None:
        """Give a binary message to the session."""
        arrived_at = time.monotonic() if self._peer is None else self._peer.received_at
        self._runner.receive_data(data)
        if self._runner.session.wants_data:
            self._live.metrics.observe_node_delay(time.monotonic() - arrived_at)

    async def _give_way(self, began_at: float, *, has_more: bool) -> None:
        """Let others have their turn, and the session catch up; not reading is back-pressure."""
        pause_s = self._share.pause_s(began_at, time.monotonic())
        if pause_s or has_more:
            await anyio.sleep(pause_s)
        while not self._runner.session.wants_data and not self._runner.is_over:
            with anyio.move_on_after(SIGN_OF_LIFE_S):
                await self._runner.until_wanted()
                return
            self._runner.remark()

    async def _write(self) -> None:
        while True:
            while (said := self._outbox.next_event()) is not None:
                self._on_its_way.extend(_texts(self._dialect, said))
                while self._on_its_way:
                    await self._websocket.send_text(self._on_its_way[0])
                    self._on_its_way.popleft()
                if isinstance(said, Closed):
                    self._finish(DONE)
            self._news = anyio.Event()
            await self._news.wait()

    async def _watch_idle(self) -> None:
        limit_s = self._dialect.idle_timeout_s or self._live.settings.idle_timeout_s
        owed_at = -math.inf
        while True:
            now = time.monotonic()
            if is_owing := self._is_owing:
                owed_at = now
            idle_s = now - max(self._idle_since(), owed_at)
            if self._reading_since is not None and idle_s >= limit_s:
                raise IdleTimeout(f"Nothing came for {limit_s:g} s.")
            await anyio.sleep(limit_s / 10 if is_owing else max(limit_s - idle_s, limit_s / 10))

    @property
    def _is_owing(self) -> bool:
        """Whether it is we who are waited for: a client that can't come back would lose words."""
        session = self._runner.session
        if session.is_stopping:
            return not session.is_closed
        return session.owes_finals and not self._can_resume

    def _idle_since(self) -> float:
        """When bytes last came, or since when we read: what we don't read doesn't come."""
        since = self._reading_since or time.monotonic()
        return since if self._peer is None else max(since, self._peer.received_at)

    async def _watch_drain(self) -> None:
        await self._live.draining.wait()
        left_s = self._drain_s
        if self._hears_out:
            await anyio.sleep(max(0.0, left_s - LAST_FINAL_S))
            left_s = min(left_s, LAST_FINAL_S)
        if self._can_resume:
            self._reader.cancel()  # what comes now is sent again to the next server
            with anyio.move_on_after(min(left_s, DRAIN_S)):
                await self._runner.until_settled()
        else:
            with anyio.move_on_after(left_s):
                await self._until_read_out()
                await self._conclude()
            self._is_concluded = True  # or the time for it is up
        self._finish(end_of(*self._live.closing_messages()))

    async def _until_read_out(self) -> None:
        """Read no further message, once all of the present one is with the session."""
        self._is_read_out = True
        if self._reading_since is not None:
            self._reader.cancel()
        await self._has_read.wait()
