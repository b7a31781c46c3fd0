"""Listening sockets, and the URL under which they are reached."""

import socket
from collections.abc import Sequence

from auricle.config import ServerSettings
from auricle.errors import SetupError

BACKLOG = 1024
ACCEPTS_AT_ONCE = 16
"""asyncio accepts up to its backlog in a row. Without a file descriptor left it fails as often, and
logs and sets a timer each time (CPython 3.11 to 3.14, ``_accept_connection``): with uvicorn's 2048
that held the event loop up for half a second, once a second."""


def open_sockets(host: str, port: int, variable: str) -> list[socket.socket]:
    """Return sockets that listen on all addresses of a host.

    Raises:
        SetupError: The port is in use, or the host is unknown; ``variable`` is what sets the port.
    """
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            found = _listen(family, address, port)
            port = port or found.getsockname()[1]  # 0 picks one, for all addresses the same
            sockets.append(found)
    except OSError as error:
        for opened in sockets:
            opened.close()
        raise SetupError(
            f"Port {port} on {host} can't be used ({error.strerror}): stop what listens "
            f"there, or set {variable} to another one."
        ) from error
    return sockets


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((entry[0], str(entry[4][0])) for entry in found))


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # With its protocol named: asyncio sets TCP_NODELAY only then, and without it each answer waits
    # 40 ms for the client's delayed ACK between its head and its body.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where REUSEADDR would share the port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        found.bind((address, port))
        found.listen(BACKLOG)
        found.setblocking(False)
    except OSError:
        found.close()
        raise
    return found


def base_url(settings: ServerSettings, sockets: Sequence[socket.socket]) -> str:
    """Return the URL under which this machine reaches the service."""
    host = settings.host
    if host in ("", "0.0.0.0", "::"):
        host = "127.0.0.1"
    port = sockets[0].getsockname()[1]
    scheme = "http" if settings.tls_cert is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
