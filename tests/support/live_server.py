"""A scripted server of ``/v1/stream``: real WebSockets, made-up speech.

It keeps sessions as the real one does (a clock from ``start_sample``, gaps by number, marks, finals
that are replayed until they are acknowledged). An utterance is each full second of the clock; its
text names its samples, so that missing and doubled ones show.
"""

import http
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from struct import Struct
from urllib.parse import parse_qsl, urlsplit

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from auricle.apis.native.wire.stream import (
    Command,
    Resume,
    Start,
    decode_command,
    encode_event,
    parse_query,
)
from auricle.audio.opus import OpusPacketDecoder, find_libopus
from auricle.protocol.framing import PacketFramer
from auricle.values.commands import Ack, Configure, Finalize, Stop, StreamParameters
from auricle.values.events import AudioProgress, Closed, Event, Final, Partial, Ready, Wire
from auricle.values.types import SAMPLE_RATE_HZ, Pcm16

FRAME = 320
POSITION = Struct("<Q")


@dataclass
class Session:
    """What the server knows of one stream."""

    name: str
    start: StreamParameters
    pcm: list[Pcm16] = field(default_factory=list)
    first_seq: int | None = None
    received: int = 0
    safe: int = 0
    utterance: int = 0
    acked: int = 0
    finals: list[Final] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    repeated: int = 0
    missing: int = 0
    is_pcm: bool = False

    def __post_init__(self) -> None:
        self.received = self.start.start_sample
        self.safe = self.start.resume_sample
        self.is_pcm = self.start.format is Wire.PCM16
        self.decoder = OpusPacketDecoder(find_libopus())

    def take(self, at_sample: int, pcm: Pcm16) -> None:
        """Take speech that belongs there; what was taken before is dropped."""
        if at_sample > self.received:
            self.missing += at_sample - self.received
            self.pcm.append(np.zeros(at_sample - self.received, np.int16))
            self.received = at_sample
        new = pcm[max(0, self.received - at_sample) :]
        self.repeated += pcm.size - new.size
        self.pcm.append(new)
        self.received += new.size

    def heard(self) -> Pcm16:
        return np.concatenate([np.zeros(0, np.int16), *self.pcm])

    def end_utterance(self, end: int) -> list[Event]:
        """Return the final up to there, and the marks."""
        if end <= self.safe:
            return []
        self.utterance += 1
        final = Final(
            id=len(self.finals) + 1,
            utterance=self.utterance,
            text=f"{self.safe}-{end}",
            start_sample=self.safe,
            end_sample=end,
            language="en",
            words=None,
            latency_ms=1.0,
            revised=False,
        )
        self.finals.append(final)
        self.safe = end
        return [final, AudioProgress(self.received, self.safe)]


@dataclass
class LiveServer:
    """Its sessions, and what it is to do."""

    sessions: list[Session] = field(default_factory=list)
    port: int = 0
    refusals: list[Response] = field(default_factory=list)
    """Given to the next handshakes, one each."""
    before_event: Callable[[Event], bool] = lambda event: True
    """Says whether an event is sent; may change what the server does next."""
    has_amnesia: bool = False
    """No session can be resumed."""
    ignores_query: bool = False
    """As a server that knows parameters in the first message only."""
    close_with: tuple[int, str] | None = None
    """How the next connection ends after its first audio."""
    says_first: list[Event] = field(default_factory=list)
    """Sent after the first audio of a connection."""
    mangle: Callable[[str], str] = lambda text: text
    """Changes messages on their way out."""
    handshakes: list[Request] = field(default_factory=list)
    openings: list[Start | Resume] = field(default_factory=list)
    _listening: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        """End it with all connections, as a process that is killed."""
        assert self._listening
        for connection in self._listening.connections:
            connection.transport.abort()
        self._listening.close()
        await self._listening.wait_closed()

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.handshakes.append(request)
        return self.refusals.pop(0) if self.refusals else None

    async def serve(self, connection: ServerConnection) -> None:
        try:
            assert connection.request
            query = dict(parse_qsl(urlsplit(connection.request.path).query))
            opening = decode_command(await connection.recv())
            assert isinstance(opening, Start | Resume)
            self.openings.append(opening)
            await _Talk(self, connection, opening, parse_query(query)).run()
        except ConnectionClosed:
            return

    def find(self, opening: Resume) -> Session | None:
        known = [s for s in self.sessions if s.name == opening.session]
        is_known = known and opening.secret == f"secret of {opening.session}"
        return known[0] if is_known and not self.has_amnesia else None


class _Talk:
    """One connection."""

    def __init__(
        self,
        server: LiveServer,
        connection: ServerConnection,
        opening: Start | Resume,
        asked: StreamParameters,
    ) -> None:
        self._server, self._connection = server, connection
        known = server.find(opening) if isinstance(opening, Resume) else None
        self._is_resumed = known is not None
        self._opening = opening
        if known is None:
            asked = StreamParameters() if server.ignores_query else asked
            asked = opening if isinstance(opening, Start) else asked
            known = Session(f"session {len(server.sessions)}", asked)
            server.sessions.append(known)
        self._session = known
        self._is_stopped = False
        self._framer = PacketFramer(with_seq=True)

    async def run(self) -> None:
        session = self._session
        secret = f"secret of {session.name}"
        await self._say(
            Ready(session.name, secret, self._is_resumed, True, session.received, session.safe)
        )
        if isinstance(self._opening, Resume) and self._is_resumed:
            for final in session.finals[self._opening.last_result :]:
                await self._say(final)
        async for message in self._connection:
            if isinstance(message, bytes):
                await self._hear(message)
            else:
                await self._obey(decode_command(message))
                if self._is_stopped:
                    return

    async def _hear(self, message: bytes) -> None:
        session = self._session
        if session.is_pcm:
            (at_sample,) = POSITION.unpack_from(message)
            session.take(at_sample, np.frombuffer(message[POSITION.size :], "<i2"))
        else:
            self._framer.receive_data(message)
            while (numbered := self._framer.next_numbered_packet()) is not None:
                if session.first_seq is None:
                    session.first_seq = numbered.seq
                at_sample = session.start.start_sample
                at_sample += (numbered.seq - session.first_seq) * FRAME
                if at_sample >= session.received:
                    session.take(at_sample, session.decoder.decode(numbered.packet))
                else:
                    session.repeated += FRAME
        for event in self._server.says_first:
            await self._say(event)
        self._server.says_first = []
        if self._server.close_with is not None:
            code, reason = self._server.close_with
            self._server.close_with = None
            await self._connection.close(code, reason)
            return
        await self._tell_what_is_due()

    async def _tell_what_is_due(self) -> None:
        session = self._session
        number = session.utterance + 1
        await self._say(Partial(number, "", "guess", session.safe, session.received))
        while session.received // SAMPLE_RATE_HZ > session.safe // SAMPLE_RATE_HZ:
            end = (session.safe // SAMPLE_RATE_HZ + 1) * SAMPLE_RATE_HZ
            for event in session.end_utterance(end):
                await self._say(event)

    async def _obey(self, command: Command) -> None:
        session = self._session
        session.commands.append(command)
        match command:
            case Ack():
                session.acked = command.result
            case Finalize():
                for event in session.end_utterance(session.received):
                    await self._say(event)
            case Configure():
                session.is_pcm = session.is_pcm or command.format is Wire.PCM16
            case Stop():
                for event in session.end_utterance(session.received):
                    await self._say(event)
                self._is_stopped = True
                await self._say(
                    Closed("stop", session.received - session.start.start_sample, 0, 0, 0)
                )
            case _:
                pass

    async def _say(self, event: Event) -> None:
        if self._server.before_event(event):
            await self._connection.send(self._server.mangle(encode_event(event)))


def refusal(status: int, body: str = "", **headers: str) -> Response:
    given = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return Response(status, http.HTTPStatus(status).phrase, given, body.encode())


@asynccontextmanager
async def live_server(port: int = 0, **settings: object) -> AsyncIterator[LiveServer]:
    server = LiveServer(**settings)  # type: ignore[arg-type]  # fields by name, for brevity
    async with serve(
        server.serve,
        "127.0.0.1",
        port,
        process_request=server.answer,
        ping_interval=None,
        compression=None,
    ) as listening:
        server._listening = listening
        server.port = next(iter(listening.sockets)).getsockname()[1]
        yield server
