"""Finds a request's client address and scheme behind reverse proxies.

Behind a proxy, the connection's peer address is the proxy's. ``X-Forwarded-For`` and
``X-Forwarded-Proto`` are used only if the peer is a trusted proxy (``AURICLE_TRUSTED_PROXIES``):
any client can send these headers. Each proxy appends the address of its peer, so entries are read
from the right for as long as the proxy that wrote them is trusted. Reading stops at the first
untrusted address, or at an entry that is not an address.

Routes and middleware call :func:`client_address`, or read ``scope["client"][0]``, which holds the
same as text. ``scope["scheme"]`` is ``https`` or ``wss`` if the client uses TLS to this server or
to a trusted proxy.

uvicorn's middleware isn't used: it accepts any string from a trusted proxy as an address, and
treats IPv4-mapped IPv6 addresses as distinct.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ENTRY = re.compile(r"\[([^\]]+)\](?::(\d{1,5}))?|([\d.]+):(\d{1,5})|(.+)", re.ASCII)
"""``[2001:db8::1]``, with or without a port, ``192.0.2.1:80``, or an address alone."""
_MAX_PORT = 65535
_IS_TLS = {"http": False, "ws": False, "https": True, "wss": True}
"""Values of ``X-Forwarded-Proto``; for a WebSocket, some proxies send ``https``, some ``wss``."""


def client_address(scope: Scope) -> Address | None:
    """Return the client address of a request or WebSocket.

    It is the connection's peer, or the address that trusted proxies report. To count clients, use
    the 64-bit prefix of an IPv6 address: a client can use any address in its network.

    Args:
        scope: The ASGI scope, inside the application from ``create_app``.

    Returns:
        IPv4-mapped IPv6 addresses (``::ffff:192.0.2.1``) as IPv4; IPv6 addresses without zone.
        ``None`` if the connection has no address: a UNIX socket, an ASGI test.
    """
    client = scope.get("client")
    return None if not client else _parsed(str(client[0]))


class TrustedProxies:
    """Outermost ASGI middleware: sets the scope's ``client`` and ``scheme`` to the client's."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self._app, self._trusted = app, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        self._resolve(scope)
        await self._app(scope, receive, send)

    def _resolve(self, scope: Scope) -> None:
        peer = client_address(scope)
        if peer is None:
            return
        client, port = peer, scope["client"][1]
        if self._is_trusted(peer):
            headers = Headers(scope=scope)
            client, hops = self._walk_proxies(peer, _values(headers.getlist("x-forwarded-for")))
            port = 0 if hops else port
            schemes = _values(headers.getlist("x-forwarded-proto")) or [""]
            # A proxy appends the scheme that it received, or replaces the whole header with it.
            is_tls = _IS_TLS.get(schemes[-min(max(hops, 1), len(schemes))].lower())
            if is_tls is not None:
                scope["scheme"] = ("ws" if scope["type"] == "websocket" else "http") + "s" * is_tls
        scope["client"] = (str(client), port)

    def _walk_proxies(self, peer: Address, forwarded: Sequence[str]) -> tuple[Address, int]:
        """Return the address behind the trusted proxies, and the number of entries used."""
        client = peer
        for hops, entry in enumerate(reversed(forwarded)):
            if not self._is_trusted(client) or (hop := _parsed_entry(entry)) is None:
                return client, hops
            client = hop
        return client, len(forwarded)

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
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.version == 4:
        return address
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))  # without zone
