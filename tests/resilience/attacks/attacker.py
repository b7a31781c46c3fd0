"""A client with a valid key that wants others to wait."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from bench.lib.posting import Client, Response

ANSWER_LIMIT_S = 60.0
RETRY_S = 1.0
"""Pause after a stream that was refused or has ended."""
START_EACH_S = 0.005
"""Time between the starts of two connections, so that they are not a flood of connections."""


@dataclass
class Attacker:
    """Sends requests, and counts the answers.

    Attributes:
        url: The server.
        key: Its key.
        answers: Number of answers by status; ``none`` for a connection without one.
    """

    url: str
    key: str
    answers: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._client = Client(self.url)

    async def ask(self, path: str, media_type: str | None, content: bytes = b"") -> Response | None:
        """Send a request; ``None`` without an answer."""
        head = self._client.head(path, media_type, len(content), self.key)
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                answer = await self._client.exchange(head, content)
        except (OSError, EOFError, TimeoutError):
            self.answers["none"] += 1
            return None
        self.answers[str(answer.status)] += 1
        return answer

    async def hold(
        self, path: str, media_type: str, length_bytes: int, content: bytes, rest: bytes
    ) -> None:
        """Send the beginning of a request, and a part of the rest each second, until refused."""
        async with self._connection() as (reader, writer):
            writer.write(self._client.head(path, media_type, length_bytes, self.key) + content)
            while not reader.at_eof():
                writer.write(rest)
                await writer.drain()
                await asyncio.sleep(1)
            self._count(await reader.readline())

    async def follow(self, path: str) -> None:
        """Read a stream of events until it ends."""
        async with self._connection() as (reader, writer):
            writer.write(self._client.head(path, key=self.key))
            self._count(await reader.readline())
            while await reader.read(1 << 16):
                pass

    def _count(self, status_line: bytes) -> None:
        words = status_line.decode().split()
        self.answers[words[1] if len(words) > 1 else "none"] += 1

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Connect; a connection that fails, is closed or breaks is followed by a pause."""
        try:
            reader, writer = await asyncio.open_connection(self._client.host, self._client.port)
        except OSError:
            self.answers["none"] += 1
            await asyncio.sleep(RETRY_S)
            raise
        try:
            yield reader, writer
            await asyncio.sleep(RETRY_S)
        except OSError:
            self.answers["none"] += 1
        finally:
            writer.close()

    async def repeat(self, times: int, request: Callable[[], Awaitable[object]]) -> None:
        """Send requests on this many connections, again and again, until cancelled."""

        async def one() -> None:
            while True:
                with suppress(OSError):
                    await request()

        async with asyncio.TaskGroup() as group:
            for _ in range(times):
                group.create_task(one())
                await asyncio.sleep(START_EACH_S)


def form(fields: dict[str, bytes], file: bytes) -> tuple[str, bytes]:
    """Return the content type and the body of a form."""
    boundary = "auricle-attack"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value
        for name, value in fields.items()
    ]
    about_file = 'Content-Disposition: form-data; name="file"; filename="a.wav"'
    parts.append(f"--{boundary}\r\n{about_file}\r\n\r\n".encode() + file)
    body = b"\r\n".join([*parts, f"--{boundary}--\r\n".encode()])
    return f"multipart/form-data; boundary={boundary}", body
