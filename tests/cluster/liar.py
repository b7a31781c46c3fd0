"""A recogniser that lies: it reports a valid capacity, and answers jobs with arbitrary bytes.

Raw sockets, since no server library would send such things.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from auricle.cluster.wire.capacity import Capacity, capacity_of, pack_capacity
from auricle.cluster.wire.messages import ANSWER_TYPE, parse_job
from auricle.values.transcriber import (
    ModelState,
    ModelStats,
    QueueStats,
    Stats,
    WorkerState,
    WorkerStats,
)

Say = Callable[[asyncio.StreamWriter, "Asked"], Awaitable[None]]
WORKER = WorkerStats("asr-0", 1, WorkerState.READY, 0, 0, 0, None)
QUEUE = QueueStats(max_audio_s=300.0)
MODEL = ModelStats("scripted", ModelState.READY, 1, 1, QUEUE)
GOOD = capacity_of(
    {"": Stats(workers=(WORKER,), ready=True, model="liar", queue=QUEUE, models=(MODEL,))}
)
STREAM = (
    f"HTTP/1.1 200 OK\r\nContent-Type: {ANSWER_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n"
).encode()


@dataclass
class Asked:
    """The job that is to be answered, and what else comes from who asks."""

    id: str
    samples: int
    reader: asyncio.StreamReader

    async def until_hung_up(self) -> None:
        """Say nothing more, and wait for the end of who asks.

        Raises:
            ConnectionError: It has come.
        """
        await self.reader.read()
        raise ConnectionError


@dataclass
class Liar:
    say: Say
    capacity: Capacity | bytes = GOOD
    port: int = 0
    jobs: int = 0
    sent_bytes: int = 0
    looks: int = 0
    hung_up: int = 0
    """Number of answers that the gateway did not read to the end."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                if head.startswith(b"get "):
                    self.looks += 1
                    answer = self.capacity
                    writer.write(
                        answer if isinstance(answer, bytes) else whole(200, pack_capacity(answer))
                    )
                    await writer.drain()
                    continue
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                job = parse_job(await reader.readexactly(length))
                self.jobs += 1
                try:
                    await self.say(writer, Asked(job.id, job.pcm.size, reader))
                    await writer.drain()
                except ConnectionError:
                    self.hung_up += 1
                break
        writer.close()


def whole(status: int, body: bytes, kind: str = "application/json", more: str = "") -> bytes:
    """Return an answer with a length."""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
    return head.encode() + b"\r\n" + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@asynccontextmanager
async def lying(say: Say, capacity: Capacity | bytes = GOOD) -> AsyncIterator[Liar]:
    liar = Liar(say, capacity)
    server = await asyncio.start_server(liar.serve, "127.0.0.1", 0)
    liar.port = server.sockets[0].getsockname()[1]
    try:
        yield liar
    finally:
        server.close()


def saying(*parts: bytes) -> Say:
    """Say these bytes, then hang up."""

    async def say(writer: asyncio.StreamWriter, asked: Asked) -> None:
        writer.writelines(parts)

    return say
