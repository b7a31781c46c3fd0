"""Who may be connected: counted in all and by address, from the moment a connection is accepted.

A stranger holds a file descriptor before a byte of theirs was read, and before TLS has begun. When
there are none left nobody is let in, and no dead worker can be started anew. So connections beyond
the limits are let in to be told so (503, or 429 for too many of one address), and beyond a few of
those they are closed at once. Nobody waits: others, and who is connected already, notice nothing.

Loopback and trusted proxies are many clients, or the operator's own: they have no limit by address,
and come in when others can't. What comes through a trusted proxy is counted by request instead.
"""

import ipaddress
import socket
from collections import Counter
from collections.abc import Sequence
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from auricle.config import ServerSettings
from auricle.errors import AuricleError, Overloaded, RateLimited
from auricle.machine import raise_open_files
from auricle.server.http.client_address import Address, Network, client_address
from auricle.server.http.errors import refuse
from auricle.server.http.request_log import request_log

MARGIN = 32
"""Connections above a limit that are told why they are refused; and, beside these, so many of
loopback and trusted proxies."""
ADDRESS_MARGIN = 8
"""The same for one address."""
RESERVED_FILES = 256
"""Files that are no connections: pipes of 20 workers, uploads, logs, files being read."""
RETRY_S = 10
IPV6_PREFIX = 64
"""One household or machine has so much of an IPv6 address to itself (RFC 6177)."""
_MOST_AT_ONCE = 16
"""Closed without a pause for the loop."""

Peer = tuple[str, int]


def network_of(address: Address | None) -> Network | None:
    """Return what an address is counted as; ``None`` for loopback, or where there is none."""
    if address is None or address.is_loopback:
        return None
    prefix = 32 if address.version == 4 else IPV6_PREFIX
    return ipaddress.ip_network((address, prefix), strict=False)


class ConnectionLimiter:
    """Counts the connections of one server.

    Args:
        most: Connections at once.
        most_of_address: Connections, and requests in progress, of one address; 0 is no limit.
        trusted: Proxies.
    """

    def __init__(self, most: int, most_of_address: int, trusted: Sequence[Network] = ()) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._trusted = trusted
        self._open = 0
        self._open_of: Counter[Network] = Counter()
        self._requests_of: Counter[Network] = Counter()
        self._refused: dict[Peer, AuricleError] = {}

    @classmethod
    def of(cls, settings: ServerSettings) -> "ConnectionLimiter":
        """Return the gate of a server; as many files as it needs may be open from now on."""
        files = raise_open_files(settings.max_connections + RESERVED_FILES + 2 * MARGIN)
        most = min(settings.max_connections, max(1, files - RESERVED_FILES - 2 * MARGIN))
        return cls(most, settings.address_connections, settings.trusted_proxies)

    @property
    def open(self) -> int:
        """Connections that are open."""
        return self._open

    def enter(self, peer: Peer) -> bool:
        """Count a new connection; return whether it is let in, if only to be refused."""
        network = self._counted(peer)
        margin = 2 * MARGIN if network is None else MARGIN
        of_address = 0 if network is None else self._open_of[network] + 1
        over_address = of_address - (self._most_of_address or of_address)
        if self._open >= self._most + margin or over_address > ADDRESS_MARGIN:
            return False
        self._open += 1
        if network is not None:
            self._open_of[network] += 1
            if self._open > self._most:
                self._refused[peer] = Overloaded(
                    "As many connections as the server takes are open.", RETRY_S
                )
            elif over_address > 0:
                self._refused[peer] = self._too_many()
        return True

    def leave(self, peer: Peer) -> None:
        """Forget a connection that was let in."""
        self._open -= 1
        self._refused.pop(peer, None)
        if (network := self._counted(peer)) is not None:
            _decrement(self._open_of, network)

    def refusal(self, peer: Peer) -> AuricleError | None:
        """Return why nothing is answered over a connection but this."""
        return self._refused.get(peer)

    def begin_request(self, network: Network | None) -> AuricleError | None:
        """Count a request or a WebSocket, unless its address has too many: return that error."""
        if network is None:
            return None
        if self._most_of_address and self._requests_of[network] >= self._most_of_address:
            return self._too_many()
        self._requests_of[network] += 1
        return None

    def end_request(self, network: Network | None) -> None:
        """Forget a request that was counted."""
        if network is not None:
            _decrement(self._requests_of, network)

    def _counted(self, peer: Peer) -> Network | None:
        address = client_address({"client": peer})
        if address is None or any(address in network for network in self._trusted):
            return None
        return network_of(address)

    def _too_many(self) -> RateLimited:
        return RateLimited(
            f"An address may have {self._most_of_address} connections at once. If it is a proxy's, "
            "the operator can name it in AURICLE_TRUSTED_PROXIES.",
            RETRY_S,
        )


def _decrement(counter: Counter[Network], network: Network) -> None:
    counter[network] -= 1
    if not counter[network]:
        del counter[network]


class LimitedListener(socket.socket):
    """A socket that listens, and accepts whom its gate lets in.

    On Windows asyncio accepts past it, and nothing is counted.
    """

    gate: ConnectionLimiter

    @classmethod
    def around(cls, found: socket.socket, gate: ConnectionLimiter) -> "LimitedListener":
        """Take over a socket that listens."""
        made = cls(found.family, found.type, found.proto, fileno=found.detach())
        made.setblocking(False)
        made.gate = gate
        return made

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection that is let in.

        Raises:
            BlockingIOError: There is none now.
        """
        for _ in range(_MOST_AT_ONCE):
            found, address = super().accept()
            peer = str(address[0]), int(address[1])
            if self.gate.enter(peer):
                return _LimitedConnection.around(found, self.gate, peer), address
            found.close()
        raise BlockingIOError


class _LimitedConnection(socket.socket):
    """A connection that is counted until it is closed."""

    _gate: ConnectionLimiter | None = None
    _peer: Peer = ("", 0)

    @classmethod
    def around(
        cls, found: socket.socket, gate: ConnectionLimiter, peer: Peer
    ) -> "_LimitedConnection":
        """Take over a connection that was let in."""
        made = cls(found.family, found.type, found.proto, fileno=found.detach())
        made._gate, made._peer = gate, peer
        return made

    def close(self) -> None:
        """Close it, and let the next one in."""
        gate, self._gate = self._gate, None
        super().close()
        if gate is not None:
            gate.leave(self._peer)


class ConnectionLimitMiddleware:
    """ASGI middleware: answers those that the gate let in to be refused."""

    def __init__(self, app: ASGIApp, gate: ConnectionLimiter) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, or refuse the request."""
        if scope["type"] == "lifespan" or scope["path"] == "/livez":  # whose loop answers, lives
            await self._app(scope, receive, send)
            return
        network = network_of(client_address(scope))
        error = self._gate.refusal(tuple(scope.get("client") or ("", 0)))
        error = error or self._gate.begin_request(network)
        if error is not None:
            request_log(scope).code = error.code
            response = refuse(scope, error)
            response.headers["connection"] = "close"
            await response(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._gate.end_request(network)
