"""The HTTP of a client, the only part of it that waits: on an event loop, or blocking the thread.

The methods of :class:`BlockingTransport` never suspend, so :mod:`.blocking` runs what uses them
without an event loop.
"""

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

import anyio
import httpx2 as httpx

from auricle.client.api.audio import in_thread
from auricle.client.api.calls import Call
from auricle.client.api.transport import timeout_of


class AsyncTransport:
    """Sends requests and waits on an event loop, whose tasks may share it.

    Args:
        url: The server's URL, without a trailing slash.
        headers: Headers of all requests.
        timeout_s: Longest silence of the server within a request, in seconds.
    """

    def __init__(self, url: str, headers: httpx.Headers, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_of(timeout_s))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def request(self, call: Call[Any]) -> httpx.Response:
        """Return the response to a request, with its body."""
        return await self._http.request(
            call.method,
            call.path,
            params=call.query,
            content=call.content if call.audio is None else in_thread(call.audio.chunks()),
            headers=call.headers,
            timeout=timeout_of(call.limit_s or self._timeout_s),
        )

    def stream(self, path: str) -> AbstractAsyncContextManager[httpx.Response]:
        """Return a response, before its body arrives."""
        return self._http.stream("GET", path)

    async def read(self, response: httpx.Response) -> bytes:
        """Return the body of a response of :meth:`stream`."""
        return await response.aread()

    def lines(self, response: httpx.Response) -> AsyncIterator[str]:
        """Iterate over the lines of a response of :meth:`stream`."""
        return response.aiter_lines()

    async def sleep(self, delay_s: float) -> None:
        """Wait, in seconds."""
        await anyio.sleep(delay_s)

    def cleanup(self, limit_s: float) -> AbstractContextManager[object]:
        """Return a context that ends after a time, in seconds, and that nothing else cancels."""
        return anyio.move_on_after(limit_s, shield=True)


class BlockingTransport:
    """The same without an event loop; threads may share it."""

    def __init__(self, url: str, headers: httpx.Headers, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_of(timeout_s))

    async def aclose(self) -> None:
        """Close all connections."""
        self._http.close()

    async def request(self, call: Call[Any]) -> httpx.Response:
        """Return the response to a request, with its body."""
        return self._http.request(
            call.method,
            call.path,
            params=call.query,
            content=call.content if call.audio is None else call.audio.chunks(),
            headers=call.headers,
            timeout=timeout_of(call.limit_s or self._timeout_s),
        )

    @contextlib.asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[httpx.Response]:
        """Return a response, before its body arrives."""
        with self._http.stream("GET", path) as response:
            yield response

    async def read(self, response: httpx.Response) -> bytes:
        """Return the body of a response of :meth:`stream`."""
        return response.read()

    async def lines(self, response: httpx.Response) -> AsyncIterator[str]:
        """Iterate over the lines of a response of :meth:`stream`."""
        for line in response.iter_lines():
            yield line

    async def sleep(self, delay_s: float) -> None:
        """Wait, in seconds."""
        time.sleep(delay_s)  # noqa: ASYNC251  # it blocks the caller, as it is to

    def cleanup(self, limit_s: float) -> AbstractContextManager[object]:
        """Return a context without an effect: nothing cancels, and requests have their limits."""
        return contextlib.nullcontext()


Transport = AsyncTransport | BlockingTransport
