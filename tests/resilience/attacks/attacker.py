"""A client with a valid key that wants others to wait."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.lib.posting import Client, Response

ANSWER_LIMIT_S = 60.0


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

    async def hold(self, path: str, media_type: str, length_bytes: int, content: bytes) -> None:
        """Send the beginning of a request and a byte of the rest each second, until cancelled."""
        head = self._client.head(path, media_type, length_bytes, self.key)
        try:
            reader, writer = await asyncio.open_connection(self._client.host, self._client.port)
        except OSError:
            self.answers["none"] += 1
            return
        try:
            writer.write(head + content)
            while not reader.at_eof():
                writer.write(content[-1:])
                await writer.drain()
                await asyncio.sleep(1)
        except OSError:
            pass
        finally:
            writer.close()

    async def repeat(self, times: int, request: Callable[[], Awaitable[object]]) -> None:
        """Send requests on this many connections, again and again, until cancelled."""

        async def one() -> None:
            while True:
                await request()

        async with asyncio.TaskGroup() as group:
            for _ in range(times):
                group.create_task(one())


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
