"""The server's address, the clients' keys, and the errors of requests."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from auricle.values.types import SAMPLE_RATE_HZ, Pcm16

CHUNK_S = 0.1
CONNECT_LIMIT_S = 30.0
MAX_RETRY_AFTER_S = 10.0
"""Longer values of Retry-After are ignored: the run would be over."""


class Refused(Exception):
    """The server refused the request; a retry may succeed."""

    def __init__(self, code: str, retry_after_s: float) -> None:
        super().__init__(code)
        self.code, self.retry_after_s = code, min(retry_after_s, MAX_RETRY_AFTER_S)


class Broken(Exception):
    """An accepted request ended in an invalid way."""


@dataclass
class Site:
    """The server as clients see it; each kind of client has a separate key.

    Attributes:
        port: Of HTTP and WebSockets.
        ports: Of APIs that have one, by their names.
        network_url: The server behind a network that fails.
        keys: By kind of client.
    """

    port: int
    ports: dict[str, int]
    network_url: str
    keys: dict[str, str]
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self.port}"

    def http(self, secret: str) -> httpx2.AsyncClient:
        """Return a client that uses each connection once, so that none closes during a request."""
        return httpx2.AsyncClient(
            base_url=self.url,
            headers={"authorization": f"Bearer {secret}"},
            timeout=httpx2.Timeout(None, connect=CONNECT_LIMIT_S),
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    async def post(
        self, kind: str, path: str, *, secret: str | None = None, **request: Any
    ) -> httpx2.Response:
        """Post a request and return its successful response.

        Raises:
            Refused: The server refused it.
            Broken: Any other error.
        """
        return await self._once(secret or self.keys[kind], "POST", path, **request)

    async def get(self, kind: str, path: str) -> httpx2.Response:
        """Repeat a GET until it succeeds."""
        while True:
            try:
                return await self._once(self.keys[kind], "GET", path)
            except Refused as refused:
                await asyncio.sleep(refused.retry_after_s)

    async def _once(self, secret: str, method: str, path: str, **request: Any) -> httpx2.Response:
        try:
            async with self.http(secret) as client:
                response = await client.request(method, path, **request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            raise Refused("no_connection", 0.5) from None
        except httpx2.TransportError as error:
            raise Broken(f"{method} {path}: {type(error).__name__} {error}") from error
        check(response.status_code, response.headers, response.text if response.is_error else "")
        return response

    async def with_token(self, kind: str, path: str, **request: Any) -> httpx2.Response:
        """Post a request with a short-lived token; get a new one when it has expired."""
        if kind not in self._tokens:
            response = await self.post(kind, "/v1/auth/token", json={"ttl_s": 3600})
            self._tokens[kind] = response.json()["token"]
        try:
            return await self.post(kind, path, secret=self._tokens[kind], **request)
        except Refused as refused:
            if refused.code == "token_expired":
                self._tokens.pop(kind, None)
            raise

    @asynccontextmanager
    async def socket(self, kind: str, path: str) -> AsyncIterator[ClientConnection]:
        """Yield a WebSocket; a cancellation aborts it without closing.

        Raises:
            Refused: The handshake failed.
        """
        try:
            connection = await connect(
                f"ws://127.0.0.1:{self.port}{path}",
                additional_headers={"authorization": f"Bearer {self.keys[kind]}"},
                compression=None,
                ping_interval=None,
                proxy=None,
                max_size=None,
                open_timeout=CONNECT_LIMIT_S,
                close_timeout=5,
            )
        except InvalidStatus as refused:
            response = refused.response
            check(response.status_code, response.headers, (response.body or b"").decode())
            raise Broken(f"{path}: {response.status_code}") from refused
        except (OSError, TimeoutError, EOFError, InvalidHandshake):
            raise Refused("no_connection", 0.5) from None
        try:
            yield connection
        except BaseException:
            connection.transport.abort()
            raise
        await connection.close()


def check(status: int, headers: Any, body: str) -> None:
    """Raise the error of a response.

    Raises:
        Refused: A retry may succeed.
        Broken: A retry would not succeed.
    """
    if status < 400:
        return
    if status in (429, 503):
        raise Refused(_error_code(body), float(headers.get("retry-after", "1")))
    if status == 401 and "token_expired" in body:
        raise Refused("token_expired", 0.0)
    raise Broken(f"status {status}: {_error_code(body)}")


def _error_code(body: str) -> str:
    codes = ("queue_full", "no_worker_ready", "draining", "rate_limited", "poison_job")
    return next((code for code in codes if code in body), body[:200])


def chunks(pcm: Pcm16, rate_hz: int = SAMPLE_RATE_HZ) -> Sequence[Pcm16]:
    """Cut speech into chunks."""
    step = int(CHUNK_S * rate_hz)
    return [pcm[at : at + step] for at in range(0, pcm.size, step)]


async def paced(parts: Sequence[Pcm16]) -> AsyncIterator[Pcm16]:
    """Yield the chunks in real time."""
    began_at = time.monotonic()
    for count, part in enumerate(parts, 1):
        await asyncio.sleep(max(0.0, began_at + count * CHUNK_S - time.monotonic()))
        yield part
