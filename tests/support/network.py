"""A bad network for benches: a TCP proxy on loopback that fails as networks do.

- *reset*: every connection ends with RST, and new ones are refused;
- *held*: nothing is handed on, and all that waited comes when the network is back;
- *lost*: nothing is handed on ever again on the connections there were, and nobody is told; new
  ones get no answer while the network is away.
"""

import asyncio
import contextlib
import enum
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CHUNK_BYTES = 16 * 1024


class Outage(enum.StrEnum):
    """How a network is away."""

    RESET = "reset"
    HELD = "held"
    LOST = "lost"


@dataclass(eq=False)
class _Link:
    """One connection through the proxy."""

    down: asyncio.StreamWriter
    up: asyncio.StreamWriter | None = None
    is_lost: bool = False

    def reset(self) -> None:
        for writer in filter(None, (self.down, self.up)):
            connection = writer.get_extra_info("socket")
            if connection is not None:  # without lingering, closing sends RST and not FIN
                with contextlib.suppress(OSError):
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
            writer.transport.abort()


@dataclass
class Network:
    """Hands bytes on between its own port and ``target_port``."""

    target_port: int
    port: int = 0
    connections: int = 0
    _links: set[_Link] = field(default_factory=set)
    _outage: Outage | None = None
    _is_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where clients reach the server through this network."""
        return f"http://127.0.0.1:{self.port}"

    async def fail(self, outage: Outage, seconds: float) -> None:
        """Be away for a while."""
        self._outage = outage
        self._is_up.clear()
        for link in list(self._links):
            if outage is Outage.RESET:
                link.reset()
            elif outage is Outage.LOST:
                link.is_lost = True
        await asyncio.sleep(seconds)
        self._outage = None
        self._is_up.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        self.connections += 1
        link = _Link(writer)
        self._links.add(link)
        try:
            if self._outage is Outage.RESET:
                return
            await self._is_up.wait()
            answers, link.up = await asyncio.open_connection("127.0.0.1", self.target_port)
            pumps = [
                asyncio.create_task(self._pump(link, reader, link.up)),
                asyncio.create_task(self._pump(link, answers, writer)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if link.is_lost:  # the other side is not told that this one has given up
                await asyncio.wait(pumps)
            for pump in pumps:
                pump.cancel()
        except OSError:
            pass
        finally:
            self._links.discard(link)
            link.reset()

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Hand on until one side ends, in whatever way."""
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._is_up.wait()
                if not link.is_lost:
                    writer.write(chunk)
                    await writer.drain()


@asynccontextmanager
async def network_to(port: int) -> AsyncIterator[Network]:
    """Stand between clients and the server on this port."""
    network = Network(port)
    network._is_up.set()
    server = await asyncio.start_server(network.serve, "127.0.0.1", 0)
    network.port = server.sockets[0].getsockname()[1]
    try:
        yield network
    finally:
        server.close()
        for link in list(network._links):
            link.reset()
