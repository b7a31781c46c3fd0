"""Requests to a server, repeated while it is busy or restarts."""

import contextlib
import time
from collections.abc import AsyncGenerator
from typing import TypeVar

import httpx2 as httpx

from auricle.client.api.calls import Call, Item, Page, get_liveness, next_page
from auricle.client.api.failures import Retries, error_of_response
from auricle.client.api.http import AsyncTransport, Transport
from auricle.client.api.transport import certificate_errors, is_cut_off, network_errors
from auricle.client.network import key_headers
from auricle.values.errors import AudioError, AuricleError, JobConflict, Unreachable

T = TypeVar("T")


class Connection:
    """Sends requests and repeats those that may succeed later.

    Args:
        url: The server's URL, without a trailing slash.
        api_key: The key, if the server requires one.
        timeout_s: Longest silence of the server within a request, in seconds.
        patience_s: Time for which a busy or restarting server is asked again, in seconds.
        transport: How it waits.

    Raises:
        SetupError: The certificates can't be read, or the key is invalid.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None,
        *,
        timeout_s: float,
        patience_s: float,
        transport: type[Transport] = AsyncTransport,
    ) -> None:
        self.url = url
        self._patience_s = patience_s
        self._has_answered = False
        headers = httpx.Headers(key_headers(api_key), encoding="latin-1")
        with certificate_errors():
            self.transport = transport(url, headers, timeout_s)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.transport.aclose()

    async def send(
        self, call: Call[T], *, patience_s: float | None = None, is_known: bool = False
    ) -> T:
        """Return the result of a request.

        Args:
            call: The request.
            patience_s: Limit of the client's patience, in seconds.
            is_known: Whether the server is known to exist, even if it has not answered yet.

        Raises:
            AuricleError: The server rejected the request, or was unavailable for too long.
        """
        if call.is_large and not self._has_answered:
            # So that an upload that is interrupted is repeated.
            await self.send(get_liveness(), patience_s=patience_s)
        retries = self.retries(patience_s, is_repeatable=call.is_repeatable, is_known=is_known)
        while True:
            try:
                return await self._send_once(call)
            except AuricleError as error:
                await self.sleep(retries, error)

    async def lines(self, path: str) -> AsyncGenerator[str, None]:
        """Iterate over the lines of a response that continues.

        Raises:
            AuricleError: The server rejected the request, or the connection was lost.
        """
        with network_errors(self.url):
            async with self.transport.stream(path) as response:
                self._has_answered = True
                if not response.is_success:
                    body = await self.transport.read(response)
                    raise error_of_response(response.status_code, response.headers, body)
                async for line in self.transport.lines(response):
                    yield line

    async def items(self, call: Call[Page[Item]], limit: int) -> AsyncGenerator[Item, None]:
        """Iterate over a list, page by page, up to a number of items."""
        before: int | None = None
        while limit > 0:
            page = await self.send(next_page(call, limit, before))
            for item in page.items:
                yield item
            limit, before = limit - len(page.items), page.next
            if before is None:
                return

    def retries(
        self,
        patience_s: float | None = None,
        *,
        is_repeatable: bool = True,
        is_known: bool = False,
    ) -> Retries:
        """Return the retries of a request; arguments as for :meth:`send`."""
        return Retries(
            self._patience_s if patience_s is None else min(patience_s, self._patience_s),
            has_answered=self._has_answered or is_known,
            is_repeatable=is_repeatable,
        )

    async def sleep(self, retries: Retries, error: AuricleError) -> None:
        """Wait before the next attempt, or raise the error."""
        await self.transport.sleep(retries.delay_s(error, time.monotonic()))

    async def _send_once(self, call: Call[T]) -> T:
        try:
            return await self._exchange(call)
        except Unreachable as error:
            if call.audio is None or not is_cut_off(error):
                raise
            await self._check_refusal(call)
            raise

    async def _check_refusal(self, call: Call[T]) -> None:
        """Raise the error for which the server refused an upload, if it did.

        A server that refuses a large recording closes the connection while it is being sent, and
        the response is lost. It refuses the same request without a recording for the same reason.
        """
        with contextlib.suppress(AudioError, JobConflict, Unreachable):
            await self._exchange(call.without_audio())

    async def _exchange(self, call: Call[T]) -> T:
        with network_errors(self.url):
            response = await self.transport.request(call)
        self._has_answered = True
        if response.is_success:
            return call.decode(response.content)
        raise error_of_response(response.status_code, response.headers, response.content)
