"""Whose request it is, and whether it came over TLS, when proxies stand between.

A connection's own address is its proxy's. What the proxy tells in ``X-Forwarded-For`` and
``X-Forwarded-Proto`` is believed if the operator trusts it (``AURICLE_TRUSTED_PROXIES``), and from
nobody else: anybody can send these headers. Each proxy adds at the right whom it heard, so they are
read from there for as long as the one who wrote is trusted; what stands further left is hearsay,
and so is what is left of something that is no address.

To ask in a route or a middleware: :func:`client_address`, or ``scope["client"][0]``, which holds
the same as text; ``scope["scheme"]`` is ``https`` or ``wss`` if the client speaks TLS with us or
with a trusted proxy.

uvicorn's own middleware isn't used: it takes whatever a trusted proxy tells for an address, any
string among it, and knows an IPv4 address in IPv6's clothes for another one.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ENTRY = re.compile(r"\[([^\]]+)\](?::(\d{1,5}))?|([\d.]+):(\d{1,5})|(.+)", re.ASCII)
"""``[2001:db8::1]``, with a port or without, ``192.0.2.1:80``, or an address alone."""
_MAX_PORT = 65535
_IS_TLS = {"http": False, "ws": False, "https": True, "wss": True}
"""What proxies tell; for a WebSocket some say ``https`` and some ``wss``."""


def client_address(scope: Scope) -> Address | None:
    """Return the address of the client that a request or WebSocket is from.

    It is that of the connection, or of whom trusted proxies name. To count by it, take a prefix of
    an IPv6 address (64 bits are one network), as a client has as many of those as it likes.

    Args:
        scope: The ASGI scope, inside the application that ``create_app`` made.

    Returns:
        IPv4 addresses as such, also where they came as IPv6 (``::ffff:192.0.2.1``), and IPv6 ones
        without their zone. ``None`` if the connection has no address: a UNIX socket, an ASGI test.
    """
    client = scope.get("client")
    return None if not client else _parsed(str(client[0]))


class TrustedProxies:
    """ASGI middleware around all others: puts the client into ``client`` and ``scheme``."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self._app, self._trusted = app, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        if scope["type"] != "lifespan":
            self._resolve(scope)
        await self._app(scope, receive, send)

    def _resolve(self, scope: Scope) -> None:
        peer = client_address(scope)
        if peer is None:
            return
        client, port = peer, scope["client"][1]
        if self._is_trusted(peer):
            headers = Headers(scope=scope)
            client, hops = self._walked(peer, _values(headers.getlist("x-forwarded-for")))
            port = 0 if hops else port
            schemes = _values(headers.getlist("x-forwarded-proto")) or [""]
            # A proxy adds what it saw as the last one, or puts it in the place of all others.
            is_tls = _IS_TLS.get(schemes[-min(max(hops, 1), len(schemes))].lower())
            if is_tls is not None:
                scope["scheme"] = ("ws" if scope["type"] == "websocket" else "http") + "s" * is_tls
        scope["client"] = (str(client), port)

    def _walked(self, peer: Address, told: Sequence[str]) -> tuple[Address, int]:
        """Return who is behind the proxies that are trusted, and how many entries name them."""
        client = peer
        for hops, entry in enumerate(reversed(told)):
            if not self._is_trusted(client) or (found := _parsed_entry(entry)) is None:
                return client, hops
            client = found
        return client, len(told)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _values(headers: Iterable[str]) -> list[str]:
    return [value.strip() for header in headers for value in header.split(",")]


def _parsed_entry(entry: str) -> Address | None:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        return None
    six, six_port, four, four_port, bare = match.groups()
    if int(six_port or four_port or 0) > _MAX_PORT:
        return None
    return _parsed(six or four or bare)


def _parsed(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if found.version == 4:
        return found
    return found.ipv4_mapped or ipaddress.IPv6Address(int(found))  # without its zone
