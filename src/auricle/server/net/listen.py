"""Listening sockets, and the server's URL."""

import socket
from collections.abc import Sequence

from auricle.config.sections.server import ServerSettings
from auricle.values.errors import SetupError

BACKLOG = 1024
ACCEPTS_AT_ONCE = 16
"""The backlog given to asyncio, which accepts up to that number in a row. Without free file
descriptors each attempt fails, logs and sets a timer (CPython 3.11 to 3.14,
``_accept_connection``): uvicorn's 2048 blocked the event loop for half a second, once a second."""


def open_sockets(host: str, port: int, variable: str) -> list[socket.socket]:
    """Open listening sockets on all addresses of a host.

    Args:
        host: A name or address; empty means all interfaces.
        port: 0 picks a free port.
        variable: The setting of the port, for the error.

    Raises:
        SetupError: The port is in use, or the host can't be resolved.
    """
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            listening = _listen(family, address, port)
            port = port or listening.getsockname()[1]  # the same free port for all addresses
            sockets.append(listening)
    except OSError as error:
        for opened in sockets:
            opened.close()
        raise SetupError(
            f"Port {port} on {host} can't be used ({error.strerror}): stop the process that "
            f"listens there, or set {variable} to another port."
        ) from error
    return sockets


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    entries = socket.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    return list(dict.fromkeys((entry[0], str(entry[4][0])) for entry in entries))


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only if the protocol is given. Without it, each response waits 40 ms
    # between head and body for the client's delayed ACK.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where REUSEADDR would share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, port))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def base_url(settings: ServerSettings, sockets: Sequence[socket.socket]) -> str:
    """Return the server's URL as seen from this machine."""
    host = settings.host
    if host in ("", "0.0.0.0", "::"):
        host = "127.0.0.1"
    port = sockets[0].getsockname()[1]
    scheme = "http" if settings.tls_cert is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
