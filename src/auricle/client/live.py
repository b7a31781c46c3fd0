"""A live stream to a server that survives lost connections.

One task owns the connection, and three use it: a reader, a writer and a watchdog. When one of them
detects its end, all stop, and the client reconnects. :mod:`auricle.client.conversation` decides
which messages are sent and resent.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import anyio
import msgspec.structs
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from auricle.apis.native.wire.stream import decode_event, encode_command
from auricle.audio.opus import LibOpus, find_libopus
from auricle.audio.opus_encoder import OpusPacketEncoder
from auricle.client.backoff import Backoff, ClientRules
from auricle.client.connection import (
    CLOSE_LIMIT_S,
    ConnectionFailed,
    closing_error,
    open_connection,
    stream_url,
)
from auricle.client.conversation import Conversation, Disconnected, LiveEvent, State
from auricle.client.kept_audio import FRAME_MS
from auricle.text.formats.gaps import STOPPED, UNREACHABLE
from auricle.values.commands import Configure, Keepalive, StreamParameters
from auricle.values.errors import (
    AuricleError,
    BadRequest,
    RemoteProtocolError,
    SetupError,
    Unreachable,
)
from auricle.values.events import Failed, Wire
from auricle.values.types import SAMPLE_RATE_HZ, Gap, Pcm16

WAITING_EVENTS = 256
"""Size of the event queue; while it is full, the client does not read from the server."""

SEND_STEP_SAMPLES = SAMPLE_RATE_HZ


class LiveClient:
    """A live stream; an async context manager. Send in one task and iterate in another.

    ::

        async with LiveClient("http://127.0.0.1:6007") as client, create_task_group() as tasks:
            tasks.start_soon(speak, client)  # await client.send(pcm) …, then client.finish()
            async for event in client:
                if isinstance(event, Final):
                    print(event.text)

    Iteration ends after the last final. Each final is delivered once and in order, even over lost
    connections and server restarts. Audio is sent as Opus by default, or as PCM16 (eight times the
    bandwidth) where there is no libopus: PyAV brings one, and so do most systems.

    Args:
        url: The base URL of the server, such as ``http://127.0.0.1:6007``.
        parameters: The stream parameters. ``format`` may be ``OPUS`` or ``PCM16``; the client
            sets channels, sample rate and frame length itself.
        api_key: The API key, if the server requires one.
        rules: Timeouts, retries and buffer size.
        libopus: The encoder library; found automatically if omitted.

    Raises:
        SetupError: ``url`` is invalid.
        ValueError: The format is not supported.
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
        parameters = parameters or StreamParameters()
        if parameters.format not in (Wire.OPUS, Wire.PCM16):
            raise ValueError(f"unsupported format {parameters.format}; use opus or pcm16")
        encode = None
        if parameters.format is Wire.OPUS:
            libopus = libopus or _installed_libopus()
            if libopus is None:
                parameters = msgspec.structs.replace(parameters, format=Wire.PCM16)
            else:
                encode = OpusPacketEncoder(libopus, frame_ms=FRAME_MS).encode
        self._conversation = Conversation(parameters, encode)
        self._backoff = Backoff(self._rules)
        self._max_kept_samples = int(self._rules.max_kept_s * SAMPLE_RATE_HZ)
        self._sink: MemoryObjectSendStream[LiveEvent]
        self._events: MemoryObjectReceiveStream[LiveEvent]
        self._tasks: TaskGroup
        self._changed = anyio.Event()  # for the writer
        self._room = anyio.Event()  # for senders
        self._received_at = -math.inf
        self._is_delivering = False
        self._has_connected = False
        self._problem: Disconnected | None = None
        self._failure: AuricleError | None = None
        self._last_failed: Failed | None = None

    @property
    def received_sample(self) -> int:
        """The position up to which the server has received audio, in samples at 16 kHz."""
        return self._conversation.received_sample

    @property
    def safe_sample(self) -> int:
        """The position up to which all finals have arrived, in samples at 16 kHz."""
        return self._conversation.safe_sample

    @property
    def problem(self) -> Disconnected | None:
        """Why there is no connection; ``None`` while connected or before the first attempt."""
        return self._problem

    @property
    def waiting_samples(self) -> int:
        """Length of the unsent speech, in samples at 16 kHz."""
        return self._conversation.audio.unsent_samples

    @property
    def unfinished(self) -> Gap | None:
        """The speech without finals, as the gap that results if the stream ends now."""
        start_sample, end_sample = self.safe_sample, self._conversation.audio.end_sample
        return Gap(start_sample, end_sample, STOPPED) if end_sample > start_sample else None

    @property
    def dropped_samples(self) -> int:
        """Speech that :meth:`push` dropped during a long outage, in samples at 16 kHz."""
        return self._conversation.audio.dropped_samples

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            SetupError: The program does not use asyncio.
            Unreachable: The server was unreachable, full or not ready for too long.
            RequestError: The server rejected the request.
        """
        if not _is_asyncio():
            raise SetupError(
                "A live stream needs asyncio; with Trio, use `Client.live()` in a thread."
            )
        connection = await self._connect()
        self._sink, self._events = anyio.create_memory_object_stream[LiveEvent](WAITING_EVENTS)
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
        else:  # an application error must not be part of the task group's errors
            await self._tasks.__aexit__(None, None, None)
        self._events.close()

    async def send(self, pcm: Pcm16) -> None:
        """Send speech; wait while the buffer is full.

        Args:
            pcm: int16, shape [samples], 16 kHz mono, any length.

        Raises:
            AuricleError: The stream has failed; iteration raises the same error.
        """
        for at in range(0, pcm.size, SEND_STEP_SAMPLES):
            while self._conversation.audio.kept_samples >= self._max_kept_samples:
                self._check()
                self._room = anyio.Event()
                await self._room.wait()
            self._take(pcm[at : at + SEND_STEP_SAMPLES])
        await anyio.lowlevel.checkpoint()

    def push(self, pcm: Pcm16) -> None:
        """Send speech without waiting, as from a microphone; a full buffer drops the oldest.

        Args:
            pcm: As for :meth:`send`.

        Raises:
            AuricleError: The stream has failed.
        """
        self._take(pcm)
        self._conversation.limit(self._max_kept_samples)

    def skip(self, samples: int) -> None:
        """Report that the next samples of speech were not captured.

        They are replaced by silence, so that later times stay correct. A ``Gap`` follows after the
        text before it.

        Raises:
            AuricleError: The stream has failed.
        """
        self._check()
        self._conversation.skip(samples)
        self._conversation.limit(self._max_kept_samples)
        self._changed.set()

    def finalize(self) -> None:
        """Request the final of the speech so far, without waiting for silence."""
        self._check()
        self._conversation.finalize()
        self._changed.set()

    def configure(self, change: Configure) -> None:
        """Change parameters from the next utterance on; the format can't be changed."""
        self._check()
        self._conversation.configure(change)
        self._changed.set()

    def finish(self) -> None:
        """End the audio; iteration ends after the last final."""
        self._conversation.finish()
        self._changed.set()

    def __aiter__(self) -> AsyncIterator[LiveEvent]:
        """Iterate over the events.

        Raises:
            Unreachable: The server was unreachable for longer than the rules allow.
            RequestError: The server ended the stream, and a retry would fail too.
        """
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[LiveEvent]:
        async for event in self._events:
            yield event
        if self._failure is not None:
            raise self._failure

    def _take(self, pcm: Pcm16) -> None:
        self._check()
        if self._conversation.is_finished:
            raise ValueError("speech after finish()")
        self._conversation.receive_pcm(pcm)
        self._changed.set()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _run(self, first: ClientConnection) -> None:
        """Run until all finals have arrived, over any number of connections."""
        connection: ClientConnection | None = first
        failed: ConnectionFailed | None = None
        with self._sink:
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
                    await self._sink.send(gap)

    async def _connect(self, failed: ConnectionFailed | None = None) -> ClientConnection:
        """Return a new connection; retry within the limits of the rules."""
        while True:
            if failed is not None:
                await self._wait(failed)
            query = self._conversation.query()
            url = f"{self._stream_url}?{urlencode(query)}" if query else self._stream_url
            try:
                connection = await open_connection(url, self._api_key, self._rules.connect_limit_s)
            except ConnectionFailed as exc:
                failed = exc
            else:
                self._problem = None
                return connection

    async def _wait(self, failed: ConnectionFailed) -> None:
        """Wait before the next attempt.

        Raises:
            Unreachable: The next attempt would exceed the limits of the rules.
        """
        rules, has_answered = self._rules, self._has_connected or failed.is_refusal
        delay_s = self._backoff.next_delay_s(
            anyio.current_time(),
            rules.patience_s if has_answered else rules.first_patience_s,
            failed.retry_after_s,
            failed.max_delay_s,
        )
        if delay_s is None:
            raise Unreachable(f"Cannot connect to {self._url}: {failed.reason.rstrip('.')}.")
        self._problem = Disconnected(failed.reason, delay_s, failed.is_full)
        if self._has_connected:
            await self._sink.send(self._problem)
        await anyio.sleep(delay_s)

    async def _converse(self, connection: ClientConnection) -> ConnectionFailed | None:
        """Use a connection until it ends; return the reason, unless the stream is complete.

        Raises:
            AuricleError: Another connection would fail in the same way.
        """
        self._has_connected = True
        self._received_at = anyio.current_time()
        self._last_failed = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write, connection)
                tasks.start_soon(self._watch, connection)
                ended = await self._read(connection)
                tasks.cancel_scope.cancel()
        finally:
            with anyio.move_on_after(CLOSE_LIMIT_S, shield=True):
                await connection.close()
        if isinstance(ended, AuricleError):
            raise ended
        return ended

    async def _read(self, connection: ClientConnection) -> ConnectionFailed | AuricleError | None:
        """Process server messages; return why they ended, or ``None`` after the last final."""
        while self._conversation.state is not State.OVER:
            try:
                message = await connection.recv()
                self._received_at = anyio.current_time()
                await self._receive(message)
            except ConnectionClosed as exc:
                if self._conversation.state is State.MISPLACED:
                    return None
                return closing_error(exc, self._last_failed)
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
        for live_event in self._conversation.receive_event(event):
            self._is_delivering = True
            await self._sink.send(live_event)
            self._is_delivering = False
        if self._conversation.furthest_sample > before:
            self._backoff.worked()
        self._changed.set()
        self._room.set()

    async def _write(self, connection: ClientConnection) -> None:
        """Send all messages; the reader handles the end of the connection."""
        try:
            await connection.send(self._conversation.connected())
            while True:
                self._changed = anyio.Event()
                while (message := self._conversation.next_message()) is not None:
                    await connection.send(message)
                with anyio.move_on_after(self._rules.keepalive_s) as quiet:
                    await self._changed.wait()
                if quiet.cancelled_caught:
                    await connection.send(encode_command(Keepalive()))
        except ConnectionClosed:
            return

    async def _watch(self, connection: ClientConnection) -> None:
        """Abort a connection whose server does not respond."""
        rules = self._rules
        while True:
            limit_s = rules.silence_s if self._conversation.is_waiting else rules.keepalive_s
            left_s = self._received_at + limit_s - anyio.current_time()
            if left_s > 0:
                await anyio.sleep(min(left_s, rules.silence_s))
            elif self._is_delivering or await self._answers(connection):
                self._received_at = anyio.current_time()
            else:
                connection.transport.abort()
                return

    async def _answers(self, connection: ClientConnection) -> bool:
        """Send a ping; return whether the server answers. It may just have nothing to send."""
        pinged_at = anyio.current_time()
        with anyio.move_on_after(self._rules.silence_s), suppress(ConnectionClosed):
            await (await connection.ping())
            return True
        return self._received_at > pinged_at


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _installed_libopus() -> LibOpus | None:
    with suppress(SetupError):
        return find_libopus()
    return None
