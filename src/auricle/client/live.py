"""A live stream to a server: speech goes up, captions come down, whatever the network does.

One task owns the connection, and three work on it: one reads, one writes, one watches that
somebody is there. When any of them sees it end, all do, and the next connection is made. What is
said on it, and what is said again, is decided in :mod:`auricle.client.conversation`.
"""

import math
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from auricle.audio.opus import LibOpus, find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.client.backoff import Backoff, ClientRules
from auricle.client.connection import (
    CLOSE_LIMIT_S,
    ConnectionFailed,
    open_connection,
    stream_url,
    why_closed,
)
from auricle.client.conversation import Conversation, Disconnected, LiveEvent, State
from auricle.client.kept_audio import FRAME_MS
from auricle.errors import AuricleError, BadRequest, RemoteProtocolError, Unreachable
from auricle.events import Failed, Wire
from auricle.protocol.gaps import STOPPED, UNREACHABLE
from auricle.protocol.native.stream import (
    Configure,
    Keepalive,
    StreamParameters,
    decode_event,
    encode_command,
)
from auricle.types import SAMPLE_RATE_HZ, Gap, Pcm16

WAITING_EVENTS = 256
"""An application that doesn't look for so many events gets no more of them until it does."""

SEND_STEP_SAMPLES = SAMPLE_RATE_HZ


class LiveClient:
    """A live stream; use it as a context, and iterate over it in one task while another sends.

    ::

        async with LiveClient("http://127.0.0.1:6007") as client, create_task_group() as tasks:
            tasks.start_soon(speak, client)  # await client.send(pcm) …, then client.finish()
            async for event in client:
                if isinstance(event, Final):
                    print(event.text)

    Iteration ends once the last final is there. Lost connections and servers that restart are no
    events of note: finals come once and in order all the same. Audio is Opus on the wire.

    Args:
        url: The server's base, as ``http://127.0.0.1:6007``.
        parameters: What is asked of it. ``format`` may be ``OPUS`` or ``PCM16``; channels, rate
            and frames are the client's own business.
        api_key: The key to show, if the server has keys.
        rules: How patient to be.
        libopus: What encodes; found if not given.

    Raises:
        SetupError: ``url`` is no address, or there is no libopus.
    """

    def __init__(
        self,
        url: str,
        parameters: StreamParameters | None = None,
        *,
        api_key: str | None = None,
        rules: ClientRules | None = None,
        libopus: LibOpus | None = None,
    ) -> None:
        self._url, self._stream_url, self._api_key = url, stream_url(url), api_key
        self._rules = rules or ClientRules()
        asked = parameters or StreamParameters()
        if asked.format not in (Wire.OPUS, Wire.PCM16):
            raise ValueError(f"a LiveClient sends opus or pcm16, not {asked.format}")
        encode = None
        if asked.format is Wire.OPUS:
            encode = OpusPacketEncoder(libopus or find_libopus(), frame_ms=FRAME_MS).encode
        self._conversation = Conversation(asked, encode)
        self._backoff = Backoff(self._rules)
        self._max_kept_samples = int(self._rules.max_kept_s * SAMPLE_RATE_HZ)
        self._told: MemoryObjectSendStream[LiveEvent]
        self._events: MemoryObjectReceiveStream[LiveEvent]
        self._tasks: TaskGroup
        self._news = anyio.Event()  # for the writer
        self._room = anyio.Event()  # for those who send
        self._heard_at = -math.inf
        self._is_telling = False
        self._has_connected = False
        self._trouble: str | None = None
        self._failure: AuricleError | None = None
        self._last_failed: Failed | None = None

    @property
    def received_sample(self) -> int:
        """How far the server has taken our speech, in 16 kHz samples of the stream."""
        return self._conversation.received_sample

    @property
    def safe_sample(self) -> int:
        """Up to where all finals are here."""
        return self._conversation.safe_sample

    @property
    def trouble(self) -> str | None:
        """Why there is no connection, in words for people; ``None`` while there is one."""
        return self._trouble

    @property
    def waiting_samples(self) -> int:
        """Speech that has not been sent yet."""
        return self._conversation.audio.unsent_samples

    @property
    def unfinished(self) -> Gap | None:
        """Return the speech whose finals are not here; what is missing if it ends now."""
        start_sample, end_sample = self.safe_sample, self._conversation.audio.end_sample
        return Gap(start_sample, end_sample, STOPPED) if end_sample > start_sample else None

    @property
    def dropped_samples(self) -> int:
        """Speech that :meth:`push` gave up because the server was gone for too long."""
        return self._conversation.audio.dropped_samples

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Unreachable: Nobody is there, or the server was full or starting for too long.
            RequestError: The server refuses us.
        """
        connection = await self._connect()
        self._told, self._events = anyio.create_memory_object_stream[LiveEvent](WAITING_EVENTS)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._run, connection)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tasks.cancel_scope.cancel()
        if kind is not None and issubclass(kind, anyio.get_cancelled_exc_class()):
            await self._tasks.__aexit__(kind, error, trace)
        else:  # an error of the application's own is no part of our group
            await self._tasks.__aexit__(None, None, None)
        self._events.close()

    async def send(self, pcm: Pcm16) -> None:
        """Send speech; waits while the server has more of it than it can make safe.

        Args:
            pcm: int16, shape [samples], 16 kHz mono, any number of them.

        Raises:
            AuricleError: The stream has ended, as iteration will tell too.
        """
        for at in range(0, pcm.size, SEND_STEP_SAMPLES):
            while self._conversation.audio.kept_samples >= self._max_kept_samples:
                self._check()
                self._room = anyio.Event()
                await self._room.wait()
            self._take(pcm[at : at + SEND_STEP_SAMPLES])
        await anyio.lowlevel.checkpoint()

    def push(self, pcm: Pcm16) -> None:
        """Send speech without ever waiting, as from a microphone; the oldest gives way.

        Args:
            pcm: As for :meth:`send`.

        Raises:
            AuricleError: The stream has ended.
        """
        self._take(pcm)
        self._conversation.limit(self._max_kept_samples)

    def skip(self, samples: int) -> None:
        """Report that this many samples of speech, which come next, were never captured.

        Silence takes their place, so that the times of what follows stay right, and a ``Gap`` comes
        once the text before it is there.

        Raises:
            AuricleError: The stream has ended.
        """
        self._check()
        self._conversation.skip(samples)
        self._conversation.limit(self._max_kept_samples)
        self._news.set()

    def finalize(self) -> None:
        """Ask for the final of what was said so far, without waiting for silence."""
        self._check()
        self._conversation.finalize()
        self._news.set()

    def configure(self, change: Configure) -> None:
        """Change the language, prompt or ``endpoint_ms``; formats are the client's business."""
        self._check()
        self._conversation.configure(change)
        self._news.set()

    def finish(self) -> None:
        """Say that no more speech comes: the last final follows, and iteration ends."""
        self._conversation.finish()
        self._news.set()

    def __aiter__(self) -> AsyncIterator[LiveEvent]:
        """Return the events as they come.

        Raises:
            Unreachable: The server was gone for longer than the rules allow.
            RequestError: It ended the stream, and would again.
        """
        return self._tell()

    async def _tell(self) -> AsyncIterator[LiveEvent]:
        async for event in self._events:
            yield event
        if self._failure is not None:
            raise self._failure

    def _take(self, pcm: Pcm16) -> None:
        self._check()
        if self._conversation.is_finished:
            raise ValueError("speech after finish()")
        self._conversation.receive_pcm(pcm)
        self._news.set()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _run(self, first: ClientConnection) -> None:
        """Go on until every final is here, over as many connections as that takes."""
        connection: ClientConnection | None = first
        failed: ConnectionFailed | None = None
        with self._told:
            try:
                while self._conversation.state is not State.OVER:
                    connection = connection or await self._connect(failed)
                    failed = await self._converse(connection)
                    self._conversation.disconnected()
                    connection = None
            except AuricleError as exc:
                self._failure = exc
            finally:
                self._room.set()
            if self._failure is not None:
                code = UNREACHABLE if isinstance(self._failure, Unreachable) else STOPPED
                for gap in self._conversation.give_up(code):
                    await self._told.send(gap)

    async def _connect(self, failed: ConnectionFailed | None = None) -> ClientConnection:
        """Return a new connection, however long it takes within the rules."""
        while True:
            if failed is not None:
                self._trouble = failed.reason
                await self._wait(failed)
            query = self._conversation.query()
            url = f"{self._stream_url}?{urlencode(query)}" if query else self._stream_url
            try:
                found = await open_connection(url, self._api_key, self._rules.connect_limit_s)
            except ConnectionFailed as exc:
                failed = exc
            else:
                self._trouble = None
                return found

    async def _wait(self, failed: ConnectionFailed) -> None:
        """Wait before the next attempt.

        Raises:
            Unreachable: That would be longer than the rules allow.
        """
        rules, is_there = self._rules, self._has_connected or failed.is_refusal
        delay_s = self._backoff.next_delay_s(
            anyio.current_time(),
            rules.patience_s if is_there else rules.first_patience_s,
            failed.asked_s,
        )
        if delay_s is None:
            raise Unreachable(f"{self._url} can't be used: {failed.reason.rstrip('.')}.")
        if self._has_connected:
            await self._told.send(Disconnected(failed.reason, delay_s))
        await anyio.sleep(delay_s)

    async def _converse(self, connection: ClientConnection) -> ConnectionFailed | None:
        """Use a connection until it ends; return why, if it was not meant to.

        Raises:
            AuricleError: Another connection would end in the same way.
        """
        self._has_connected = True
        self._heard_at = anyio.current_time()
        self._last_failed = None
        try:
            async with anyio.create_task_group() as beside:
                beside.start_soon(self._write, connection)
                beside.start_soon(self._watch, connection)
                ended = await self._read(connection)
                beside.cancel_scope.cancel()
        finally:
            with anyio.move_on_after(CLOSE_LIMIT_S, shield=True):
                await connection.close()
        if isinstance(ended, AuricleError):
            raise ended
        return ended

    async def _read(self, connection: ClientConnection) -> ConnectionFailed | AuricleError | None:
        """Take in what the server says; return why that ended, or ``None`` if all is said."""
        while self._conversation.state is not State.OVER:
            try:
                message = await connection.recv()
                self._heard_at = anyio.current_time()
                await self._receive(message)
            except ConnectionClosed as exc:
                if self._conversation.state is State.MISPLACED:
                    return None
                return why_closed(exc, self._last_failed)
            except BadRequest as exc:
                return RemoteProtocolError(str(exc))
        return None

    async def _receive(self, message: str | bytes) -> None:
        event = decode_event(message)
        if event is None:  # of a later version
            return
        if isinstance(event, Failed):
            self._last_failed = event
        before = self._conversation.furthest_sample
        for told in self._conversation.receive_event(event):
            self._is_telling = True
            await self._told.send(told)
            self._is_telling = False
        if self._conversation.furthest_sample > before:
            self._backoff.worked()
        self._news.set()
        self._room.set()

    async def _write(self, connection: ClientConnection) -> None:
        """Send what there is to send; the reader is told of a connection that ended."""
        try:
            await connection.send(self._conversation.connected())
            while True:
                self._news = anyio.Event()
                while (message := self._conversation.next_message()) is not None:
                    await connection.send(message)
                with anyio.move_on_after(self._rules.keepalive_s) as quiet:
                    await self._news.wait()
                if quiet.cancelled_caught:
                    await connection.send(encode_command(Keepalive()))
        except ConnectionClosed:
            return

    async def _watch(self, connection: ClientConnection) -> None:
        """Cut a connection that nobody is at the other end of."""
        rules = self._rules
        while True:
            limit_s = rules.silence_s if self._conversation.is_waiting else rules.keepalive_s
            left_s = self._heard_at + limit_s - anyio.current_time()
            if left_s > 0:
                await anyio.sleep(min(left_s, rules.silence_s))
            elif self._is_telling or await self._answers(connection):
                self._heard_at = anyio.current_time()
            else:
                connection.transport.abort()
                return

    async def _answers(self, connection: ClientConnection) -> bool:
        """Ask the server whether it is there: it may just have nothing to say."""
        asked_at = anyio.current_time()
        with anyio.move_on_after(self._rules.silence_s), suppress(ConnectionClosed):
            await (await connection.ping())
            return True
        return self._heard_at > asked_at
