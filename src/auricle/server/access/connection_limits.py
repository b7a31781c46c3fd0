"""Connection limits, in total and per address, applied when a connection is accepted.

A client occupies a file descriptor before it sends a byte and before TLS starts. With none left the
server can neither accept connections nor restart a dead worker. A connection above a limit is
accepted and answered with an error: 503, or 429 for too many from one address. Above a small margin
of those, connections are closed immediately. None of them waits, so other clients are unaffected.

Loopback and trusted proxies stand for many clients or for the operator. They have no limit per
address, and a separate margin above the total. Clients behind a trusted proxy are counted per
request instead.
"""

import ipaddress
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from auricle.config.sections.server import ServerSettings
from auricle.server.http.client_address import Address, Network, client_address
from auricle.server.http.errors import refuse
from auricle.server.http.request_log import request_log
from auricle.system.machine import raise_open_files
from auricle.values.errors import AuricleError, Overloaded, RateLimited

MARGIN = 32
"""Connections above the total limit that receive an error response; loopback and trusted proxies
may open the same number again."""
ADDRESS_MARGIN = 8
"""Connections above the limit per address that receive an error response."""
RESERVED_FILES = 256
"""File descriptors not used by connections: pipes of 20 workers, uploads, logs, open files."""
RETRY_S = 10
IPV6_PREFIX = 64
"""Typical prefix assigned to one household or machine (RFC 6177)."""
_MAX_AT_ONCE = 16
"""Maximum connections closed in a row before the event loop runs again."""

Peer = tuple[str, int]


def network_of(address: Address | None) -> Network | None:
    """Return the network an address is counted under; ``None`` for loopback or no address."""
    if address is None or address.is_loopback:
        return None
    prefix = 32 if address.version == 4 else IPV6_PREFIX
    return ipaddress.ip_network((address, prefix), strict=False)


class ConnectionLimiter:
    """Counts the connections of one server and decides which to accept.

    Args:
        max_open: Maximum concurrent connections.
        max_of_address: Maximum concurrent connections, and maximum requests in progress, per
            address; 0 disables the limit.
        trusted: Networks of trusted proxies.
    """

    def __init__(self, max_open: int, max_of_address: int, trusted: Sequence[Network] = ()) -> None:
        self._max = max_open
        self._max_of_address = max_of_address
        self._trusted = trusted
        self._open = 0
        self._open_of: Counter[Network] = Counter()
        self._requests_of: Counter[Network] = Counter()
        self._refused: dict[Peer, AuricleError] = {}

    @classmethod
    def of(cls, settings: ServerSettings) -> "ConnectionLimiter":
        """Create the limiter from the settings, and raise the process's open-file limit for it."""
        files = raise_open_files(settings.max_connections + RESERVED_FILES + 2 * MARGIN)
        max_open = min(settings.max_connections, max(1, files - RESERVED_FILES - 2 * MARGIN))
        return cls(max_open, settings.address_connections, settings.trusted_proxies)

    @property
    def open(self) -> int:
        """Number of open connections."""
        return self._open

    def enter(self, peer: Peer) -> bool:
        """Count a new connection; return whether to accept it, if only to send an error."""
        network = self._counted(peer)
        margin = 2 * MARGIN if network is None else MARGIN
        of_address = 0 if network is None else self._open_of[network] + 1
        over_address = of_address - (self._max_of_address or of_address)
        if self._open >= self._max + margin or over_address > ADDRESS_MARGIN:
            return False
        self._open += 1
        if network is not None:
            self._open_of[network] += 1
            if self._open > self._max:
                self._refused[peer] = Overloaded(
                    "The server's connection limit is reached; try again later.", RETRY_S
                )
            elif over_address > 0:
                self._refused[peer] = self._too_many()
        return True

    def leave(self, peer: Peer) -> None:
        """Stop counting an accepted connection that has closed."""
        self._open -= 1
        self._refused.pop(peer, None)
        if (network := self._counted(peer)) is not None:
            _decrement(self._open_of, network)

    def refusal(self, peer: Peer) -> AuricleError | None:
        """Return the error to send on a connection above a limit; ``None`` if it is within."""
        return self._refused.get(peer)

    def begin_request(self, network: Network | None) -> AuricleError | None:
        """Count a request or WebSocket; return an error if its address is over the limit."""
        if network is None:
            return None
        if self._max_of_address and self._requests_of[network] >= self._max_of_address:
            return self._too_many()
        self._requests_of[network] += 1
        return None

    def end_request(self, network: Network | None) -> None:
        """Stop counting a request that has ended."""
        if network is not None:
            _decrement(self._requests_of, network)

    def _counted(self, peer: Peer) -> Network | None:
        address = client_address({"client": peer})
        if address is None or any(address in network for network in self._trusted):
            return None
        return network_of(address)

    def _too_many(self) -> RateLimited:
        return RateLimited(
            f"This address has reached its limit of {self._max_of_address} connections. If it is "
            "a proxy, the operator can add it to AURICLE_TRUSTED_PROXIES.",
            RETRY_S,
        )


def _decrement(counter: Counter[Network], network: Network) -> None:
    counter[network] -= 1
    if not counter[network]:
        del counter[network]


class LimitedListener(socket.socket):
    """A listening socket that accepts only the connections its limiter allows.

    On Windows asyncio does not call :meth:`accept`, so connections are not counted.
    """

    limiter: ConnectionLimiter

    @classmethod
    def around(cls, plain: socket.socket, limiter: ConnectionLimiter) -> "LimitedListener":
        """Take ownership of a listening socket."""
        listener = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        listener.setblocking(False)
        listener.limiter = limiter
        return listener

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept the next connection that the limiter allows.

        Raises:
            BlockingIOError: None is pending.
        """
        for _ in range(_MAX_AT_ONCE):
            connection, address = super().accept()
            peer = str(address[0]), int(address[1])
            if self.limiter.enter(peer):
                return _LimitedConnection.around(connection, self.limiter, peer), address
            connection.close()
        raise BlockingIOError


class _LimitedConnection(socket.socket):
    """An accepted connection, counted until it is closed."""

    _limiter: ConnectionLimiter | None = None
    _peer: Peer = ("", 0)

    @classmethod
    def around(
        cls, plain: socket.socket, limiter: ConnectionLimiter, peer: Peer
    ) -> "_LimitedConnection":
        """Take ownership of an accepted connection."""
        connection = cls(plain.family, plain.type, plain.proto, fileno=plain.detach())
        connection._limiter, connection._peer = limiter, peer
        return connection

    def close(self) -> None:
        """Close the connection and stop counting it."""
        limiter, self._limiter = self._limiter, None
        super().close()
        if limiter is not None:
            limiter.leave(self._peer)


class ConnectionLimitMiddleware:
    """ASGI middleware that rejects requests on connections, or from addresses, above a limit."""

    def __init__(self, app: ASGIApp, limiter: ConnectionLimiter) -> None:
        self._app, self._limiter = app, limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, or reject the request."""
        if scope["path"] == "/livez":  # liveness is never limited
            await self._app(scope, receive, send)
            return
        network = network_of(client_address(scope))
        error = self._limiter.refusal(tuple(scope.get("client") or ("", 0)))
        error = error or self._limiter.begin_request(network)
        if error is not None:
            request_log(scope).code = error.code
            response = refuse(scope, error)
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._limiter.end_request(network)
