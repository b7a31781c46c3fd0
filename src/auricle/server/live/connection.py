"""One WebSocket connection of a live session: audio and commands in, events out.

Four tasks run per connection: a reader, a writer, an idle timer and a task that waits for the
server's shutdown. The first task that finds a reason to end the connection does so, and the reason
is sent to the client in its dialect. The session outlives the connection if the dialect supports
resuming.

If the server ends a connection that can't be resumed, it first transcribes the open utterance and
sends its final as the last result (docs/decisions/031).
"""

import contextlib
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence

import anyio
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from auricle.audio.g711 import alaw_to_pcm16, mulaw_to_pcm16
from auricle.protocol.dialect import (
    Companded,
    Dialect,
    EncodedFrames,
    End,
    Law,
    OutboundItem,
    Reply,
    Step,
)
from auricle.server.http.errors import CLIENT_VISIBLE_ERRORS
from auricle.server.live.connection_end import (
    CLIENT_LEFT,
    DONE,
    Socket,
    close_gracefully,
    disconnect_reason,
    end_of,
    failed_of,
    texts_of,
)
from auricle.server.live.frame_stream import FrameStream
from auricle.server.live.outbox import Outbox
from auricle.server.live.registry import LiveSessions
from auricle.server.live.runner import LiveRunner
from auricle.server.net.loop_budget import TimeShare
from auricle.server.net.peer import peer_of
from auricle.system.logs import log_unexpected
from auricle.values.commands import SessionCommand
from auricle.values.errors import AuricleError, BadRequest, IdleTimeout, Overloaded, TakenOver
from auricle.values.events import Closed, Final, SessionEvent, Warned, WarningCode

DRAIN_S = 2.0
"""Wait for the finals of ended utterances when the server shuts down, in seconds. A client that
resumes receives later ones from the next server."""
LAST_FINAL_S = 10.0
"""Longest wait for the last final of a connection that the server ends, in seconds."""
SIGN_OF_LIFE_S = 2.0
"""Interval of progress events to a client whose messages are not being read, in seconds. Its pings
are not read either, so it would assume that the server is gone."""
MAX_BAD_MESSAGES = 10
"""Invalid text messages after which a connection is closed."""
SLOW_RETRY_S = 1
MAX_TOGETHER_BYTES = 16 * 1024
"""Audio of one step: half a second of PCM16. More waits until other connections had their turn."""


_OtherStep = EncodedFrames | Reply | SessionCommand
_EXPAND = {Law.MU: mulaw_to_pcm16, Law.A: alaw_to_pcm16}


class LiveConnection:
    """An accepted connection that is attached to a session; see the module.

    Args:
        websocket: The accepted WebSocket.
        live: The registry of sessions.
        runner: The session's runner.
        dialect: The client's wire protocol.
        drain_s: Longest wait for finals when the server shuts down, in seconds. For clients that
            can resume on the next server it is at most ``DRAIN_S``.
        lets_finish: When the server shuts down, let the client finish speaking, in the part of
            ``drain_s`` that is not reserved for the last final.
        warnings: Warnings of options that have no effect, sent after the first event.
    """

    def __init__(
        self,
        websocket: Socket,
        live: LiveSessions,
        runner: LiveRunner,
        dialect: Dialect,
        *,
        drain_s: float = DRAIN_S,
        lets_finish: bool = False,
        warnings: Sequence[str] = (),
    ) -> None:
        self._warnings = warnings
        self._drain_s = drain_s
        self._lets_finish = lets_finish
        self._websocket = websocket
        self._live = live
        self._runner = runner
        self._dialect = dialect
        self._peer = peer_of(websocket.scope)
        self._outbox = Outbox(keeps_all=not self._dialect.is_resumable)
        self._in_flight: deque[str] = deque()
        self._item_queued = anyio.Event()
        self._end: End | None = None
        self._tasks, self._reader = anyio.CancelScope(), anyio.CancelScope()
        self._has_read = anyio.Event()
        self._stops_reading = self._has_transcribed_last = False
        self._reading_since: float | None = None
        self._share = TimeShare(time.monotonic())
        self._bad_messages = 0
        channels = runner.session.parameters.channels
        self._frames = FrameStream(live.workers.frames, runner.client, channels)

    async def run(self, last_result: int | None = None) -> End:
        """Serve the connection until it ends; return the reason.

        Args:
            last_result: The last final that the client has, if it resumes.
        """
        try:
            with self._ending_on_error():
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
                    await self._transcribe_last()
        finally:
            if not self._dialect.is_resumable:
                self._runner.finish()
            self._runner.detach(self)
            self._frames.close()
            self._live.metrics.dropped_partials.inc(self._outbox.dropped_partials)
        end = self._end or CLIENT_LEFT
        if end is not CLIENT_LEFT:
            # Send what was in flight first: a client that misses one final and receives the next
            # would acknowledge both.
            remaining: list[OutboundItem] = [Reply(tuple(self._in_flight))]
            while (item := self._outbox.next_event()) is not None:
                remaining.append(item)
            await close_gracefully(self._websocket, self._dialect, end, remaining)
        return end

    # Called by the session.

    def deliver(self, event: SessionEvent) -> None:
        """Queue an event; see :class:`auricle.server.live.runner.Listener`."""
        self._put(event)

    def dismiss(self, error: AuricleError) -> None:
        """End the connection; see :class:`auricle.server.live.runner.Listener`."""
        self._finish(end_of(error))

    def _put(self, item: OutboundItem) -> None:
        self._outbox.put(item)
        self._item_queued.set()
        if self._outbox.is_overrun:
            self.dismiss(
                Overloaded(
                    "The client is not reading fast enough; its send buffer is full.", SLOW_RETRY_S
                )
            )

    # Tasks.

    async def _run_task(self, task: Callable[[], Awaitable[None]]) -> None:
        with self._ending_on_error():
            await task()

    @contextlib.contextmanager
    def _ending_on_error(self) -> Iterator[None]:
        """Turn an error into the end of this connection only."""
        try:
            yield
        except WebSocketDisconnect:
            self._finish(disconnect_reason(self._websocket))
        except CLIENT_VISIBLE_ERRORS as error:
            self._finish(end_of(error))
        except Exception as error:
            log_unexpected(error, session=self._runner.session.id)
            self._finish(end_of(error))
            self._runner.end()  # its state is undefined

    @property
    def _has_ended(self) -> bool:
        return self._end is not None

    @property
    def _can_resume(self) -> bool:
        """Whether another connection can resume this session."""
        return self._dialect.is_resumable and self._runner.session.is_resumable

    def _needs_last_final(self, end: End) -> bool:
        """Whether to transcribe the open utterance before closing the connection.

        No if another connection can resume the session, or the client doesn't read.
        """
        if end in (CLIENT_LEFT, DONE) or end.how == TakenOver.code or self._outbox.is_overrun:
            return False
        return not self._can_resume

    async def _transcribe_last(self) -> None:
        """End the open utterance and wait for its final; no more audio follows."""
        if self._has_transcribed_last:
            return
        self._has_transcribed_last = True
        with self._ending_on_error():
            await self._runner.until_data_wanted()  # process data that was already read
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
                if self._end is not None:  # woken before the cancellation: another connection may
                    return  # own the session now, and this message would corrupt its stream
                self._reading_since = None
                if self._peer is not None:
                    self._peer.read_interval_s = self._live.read_interval_s(self._runner)
                if message["type"] == "websocket.disconnect":
                    raise WebSocketDisconnect(message.get("code", 1005))
                await self._process(message)
                if self._stops_reading or self._has_ended:
                    break  # the same race
        self._has_read.set()

    async def _process(self, message: Message) -> None:
        """Process a message step by step, yielding to other connections after each."""
        began_at, steps = time.monotonic(), 0
        try:
            for work in self._work_of(message):
                if steps:
                    await self._yield_to_others(began_at, has_more=True)
                    if self._end is not None:
                        return
                    began_at = time.monotonic()
                await self._execute(work)
                steps += 1
        except (BadRequest, Overloaded) as error:  # or there is no room for the requested model
            self._bad_messages += 1
            if self._bad_messages >= MAX_BAD_MESSAGES:
                raise
            self.deliver(failed_of(error))
        await self._yield_to_others(began_at, has_more=self._peer is None or self._peer.has_more)

    def _work_of(self, message: Message) -> Iterator[list[bytes] | _OtherStep]:
        """Yield the steps of a message, and the audio of all messages that arrived with it."""
        audio: list[bytes] = []
        failure: Exception | None = None
        try:
            for step in self._steps_of(message):
                match step:
                    case bytes():
                        audio.append(step)
                    case Companded(data, law):
                        audio.append(_EXPAND[law](data))
                    case _:
                        if audio:
                            yield audio
                            audio = []
                        yield step
                if sum(map(len, audio)) >= MAX_TOGETHER_BYTES:
                    yield audio
                    audio = []
        except Exception as error:  # the audio before an invalid message is valid
            failure = error
        if audio:
            yield audio
        if failure is not None:
            raise failure

    def _steps_of(self, message: Message) -> Iterator[Step]:
        if (data := message.get("bytes")) is None:
            yield from self._dialect.receive_text(message["text"])
            return
        yield from self._dialect.receive_bytes(data)
        for data in self._peer.take_binary() if self._peer is not None else ():
            yield from self._dialect.receive_bytes(data)

    async def _execute(self, work: list[bytes] | _OtherStep) -> None:
        match work:
            case list():
                self._receive_audio(*work)
            case EncodedFrames():
                await self._decode(work)
            case Reply():
                self._put(work)
            case _:
                self._runner.receive_command(work)

    async def _decode(self, step: EncodedFrames) -> None:
        """Pass compressed audio to the session; end if it is lost, as no more may follow."""
        try:
            await self._frames.decode(step, self._receive_audio)
        except AuricleError as error:
            self._finish(end_of(error))

    def _receive_audio(self, *messages: bytes) -> None:
        """Pass audio that arrived together to the session."""
        arrived_at = time.monotonic() if self._peer is None else self._peer.received_at
        self._runner.receive_data(*messages)
        if self._runner.session.wants_data:
            self._live.metrics.observe_node_delay(time.monotonic() - arrived_at)

    async def _yield_to_others(self, began_at: float, *, has_more: bool) -> None:
        """Yield to other connections, and wait until the session wants data (back-pressure)."""
        pause_s = self._share.pause_s(began_at, time.monotonic())
        if pause_s or has_more:
            await anyio.sleep(pause_s)
        while not self._runner.session.wants_data and not self._runner.is_over:
            with anyio.move_on_after(SIGN_OF_LIFE_S):
                await self._runner.until_data_wanted()
                return
            self._runner.send_progress()

    async def _write(self) -> None:
        while True:
            while (item := self._outbox.next_event()) is not None:
                self._in_flight.extend(texts_of(self._dialect, item))
                if isinstance(item, Final):
                    await self._runner.until_kept(item)
                if isinstance(item, Closed):  # a client that reads it may begin the next session
                    self._live.places.leave(self._runner.place)
                while self._in_flight:
                    await self._websocket.send_text(self._in_flight[0])
                    self._in_flight.popleft()
                if isinstance(item, Closed):
                    self._finish(DONE)
            self._item_queued = anyio.Event()
            await self._item_queued.wait()

    async def _watch_idle(self) -> None:
        limit_s = self._dialect.idle_timeout_s or self._live.settings.idle_timeout_s
        pending_at = -math.inf
        while True:
            now = time.monotonic()
            if is_pending := self._has_pending_answer:
                pending_at = now
            idle_s = now - max(self._idle_since(), pending_at)
            if self._reading_since is not None and idle_s >= limit_s:
                raise IdleTimeout(f"No data received for {limit_s:g} s.")
            await anyio.sleep(limit_s / 10 if is_pending else max(limit_s - idle_s, limit_s / 10))

    @property
    def _has_pending_answer(self) -> bool:
        """Whether the client is waiting for the server; closing now could lose finals."""
        session = self._runner.session
        if session.is_stopping:
            return not session.is_closed
        return session.channels.has_pending_finals and not self._can_resume

    def _idle_since(self) -> float:
        """Return when bytes were last received, or when reading resumed if that is later."""
        since = self._reading_since or time.monotonic()
        return since if self._peer is None else max(since, self._peer.received_at)

    async def _watch_drain(self) -> None:
        await self._live.draining.wait()
        left_s = self._drain_s
        if self._lets_finish:
            await anyio.sleep(max(0.0, left_s - LAST_FINAL_S))
            left_s = min(left_s, LAST_FINAL_S)
        if self._can_resume:
            self._reader.cancel()  # the client resends this to the next server
            with anyio.move_on_after(min(left_s, DRAIN_S)):
                await self._runner.until_settled()
        else:
            with anyio.move_on_after(left_s):
                await self._stop_reading()
                await self._transcribe_last()
            self._has_transcribed_last = True  # also if the time was up
        self._finish(end_of(*self._live.closing_messages()))

    async def _stop_reading(self) -> None:
        """Stop reading once the current message has been passed to the session."""
        self._stops_reading = True
        if self._reading_since is not None:
            self._reader.cancel()
        await self._has_read.wait()
