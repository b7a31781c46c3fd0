"""Sends webhooks over HTTP, to public addresses only."""

import socket
from collections.abc import Iterable
from functools import partial
from typing import Any

import anyio
import httpcore2
import structlog
from anyio import to_thread

from auricle.webhooks.request import WebhookRequest, is_public

TIMEOUT_S = 15.0
"""Maximum time of an attempt, from the name lookup to the status of the response."""
MAX_CONCURRENT = 64

_log = structlog.get_logger("auricle.ledger")


class AddressRefused(httpcore2.ConnectError):
    """The host name resolves to an address that is not public."""


class CheckedBackend(httpcore2.AnyIOBackend):
    """Connects only to public addresses, or to all of them.

    The address that was checked is the one connected to, so that a name server can't answer twice
    in different ways. Names are looked up in separate threads: slow name servers don't delay other
    lookups of this process.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._lookups = anyio.CapacityLimiter(MAX_CONCURRENT)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (of the base class)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve a host, check all of its addresses, and connect to the first that answers.

        Raises:
            AddressRefused: One of the addresses is not public.
            httpcore2.ConnectError: The name is unknown, or nothing listens there.
        """
        error: Exception | None = None
        for address in await self._addresses(host, port):
            try:
                return await super().connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failure:
                error = failure
        raise error or httpcore2.ConnectError("The host has no address.")

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            entries = await to_thread.run_sync(
                partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM),
                abandon_on_cancel=True,
                limiter=self._lookups,
            )
        except (OSError, UnicodeError) as error:  # the latter: a label of more than 63 characters
            raise httpcore2.ConnectError("The host name can't be resolved.") from error
        addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in entries))
        if not self._allow_private and not all(map(_is_public, addresses)):
            raise AddressRefused("The host name resolves to a private address.")
        return addresses


class WebhookSender:
    """Sends signed requests; close with :meth:`aclose`."""

    def __init__(self, *, allow_private: bool, timeout_s: float = TIMEOUT_S) -> None:
        """Create a sender; ``allow_private`` also permits private and loopback addresses.

        Loads the certificates of authorities, which takes tens of milliseconds.
        """
        self._timeout_s = timeout_s
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),  # else loaded for each connection
            max_connections=MAX_CONCURRENT,
            max_keepalive_connections=0,  # the next attempt resolves the name again
            network_backend=CheckedBackend(allow_private=allow_private),
        )

    async def send(self, request: WebhookRequest) -> int | None:
        """Return the receiver's HTTP status; ``None`` if it did not answer in time.

        Redirects are not followed, and the body of the response is not read.
        """
        headers = list(request.headers.items())
        error = "timeout"
        with anyio.move_on_after(self._timeout_s):
            try:
                async with self._pool.stream(
                    request.method, request.url, headers=headers, content=request.body
                ) as response:
                    return int(response.status)
            except (
                httpcore2.NetworkError,
                httpcore2.ProtocolError,
                httpcore2.TimeoutException,
            ) as e:
                error = type(e).__name__
        _log.info("webhook_not_answered", event_id=request.headers["webhook-id"], error=error)
        return None

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


def _is_public(address: str) -> bool:
    return is_public(address.partition("%")[0])
