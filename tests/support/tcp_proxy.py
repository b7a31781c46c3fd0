"""A TCP proxy of the tests' own: what goes through it can be cut, held up and kept out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CHUNK_BYTES = 4096


@dataclass
class TcpProxy:
    """Hands bytes on between its own port and ``target_port``, both on loopback."""

    target_port: int
    port: int = 0
    is_refusing: bool = False
    """New connections are closed at once."""
    connections: int = 0
    """How many there have been."""
    passed_bytes: int = 0
    """How many have gone up."""
    cut_after_bytes: int | None = None
    """Cut everything once this number of further bytes was sent."""
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset all connections that there are."""
        for writer in list(self._open):
            writer.transport.abort()

    def freeze(self) -> None:
        """Swallow nothing and hand on nothing, as a network cable that is out."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        up: asyncio.StreamWriter | None = None
        try:
            if self.is_refusing:
                return
            answer, up = await asyncio.open_connection("127.0.0.1", self.target_port)
            self._open |= {writer, up}
            await asyncio.gather(self._pump(reader, up, counts=True), self._pump(answer, writer))
        except OSError:
            pass
        finally:
            for end in filter(None, (writer, up)):
                self._open.discard(end)
                end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool = False
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            await self._flowing.wait()
            writer.write(chunk)
            await writer.drain()
            if counts:
                self._count(len(chunk))
        raise ConnectionError  # one side has ended: so does the other

    def _count(self, size_bytes: int) -> None:
        self.passed_bytes += size_bytes
        if self.cut_after_bytes is not None:
            self.cut_after_bytes -= size_bytes
            if self.cut_after_bytes <= 0:
                self.cut_after_bytes = None
                self.cut()


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[TcpProxy]:
    proxy = TcpProxy(port)
    proxy.thaw()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.thaw()
        proxy.cut()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 5)
