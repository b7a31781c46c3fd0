"""What the tests of connection share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from auricle.apis.native.dialect import NativeDialect
from auricle.config.sections.live import LiveSettings
from auricle.protocol.dialect import End
from auricle.server.live.connection import LiveConnection
from auricle.server.live.runner import LiveRunner
from auricle.values.commands import StreamParameters
from auricle.values.events import Final, Wire
from tests.support.live_sessions import ALICE, Sessions, sessions
from tests.support.service import poll_until
from tests.support.stream import SPEECH, pcm
from tests.support.web_socket import FakePeer, FakeWebSocket

PLAIN = StreamParameters(format=Wire.PCM16)


def final(number: int) -> Final:
    return Final(number, number, "text", 0, 16_000, "en", None, 300.0, False)


@dataclass
class Line:
    """A connection that is being served."""

    fakes: Sessions
    runner: LiveRunner
    socket: FakeWebSocket
    connection: LiveConnection
    end: End | None = None

    async def serve(self) -> None:
        self.end = await self.connection.run()

    async def ended(self) -> End:
        await poll_until(lambda: self.end is not None)
        assert self.end is not None
        return self.end

    def find_again(self) -> LiveRunner | None:
        session = self.runner.session
        return self.fakes.live.find(ALICE, session.id, session.secret)

    async def caption(self) -> dict[str, Any]:
        """Say something and return its final."""
        before = len(self.socket.of("final"))
        self.socket.send(pcm(SPEECH[:16_000]))
        self.socket.tell("finalize")
        await poll_until(lambda: len(self.socket.of("final")) > before)
        return self.socket.of("final")[-1]


async def connected(
    fakes: Sessions, runner: LiveRunner | None = None, peer: FakePeer | None = None
) -> Line:
    runner = runner or await fakes.open(PLAIN)
    socket = FakeWebSocket(peer or FakePeer())
    connection = LiveConnection(await socket.accept(), fakes.live, runner, NativeDialect())
    line = Line(fakes, runner, socket, connection)
    fakes.group.start_soon(line.serve)
    await poll_until(lambda: socket.of("ready") or line.end)
    return line


@asynccontextmanager
async def one_line(settings: LiveSettings | None = None) -> AsyncIterator[Line]:
    async with sessions(settings) as fakes:
        yield await connected(fakes)
