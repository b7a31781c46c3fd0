"""Find recogniser URLs that use public networks without encryption."""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import anyio
from anyio import to_thread

RESOLVE_LIMIT_S = 10.0


async def unencrypted_public_urls(urls: Iterable[str]) -> list[str]:
    """Return the ``http://`` URLs whose host has a public address.

    A host that cannot be resolved in time is omitted: nothing can be sent to it either.
    """
    return [url for url in urls if urlsplit(url).scheme == "http" and await _is_public(url)]


async def _is_public(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    with anyio.move_on_after(RESOLVE_LIMIT_S):
        addresses = await to_thread.run_sync(_addresses, host, abandon_on_cancel=True)
        return any(ipaddress.ip_address(address).is_global for address in addresses)
    return False


def _addresses(host: str) -> set[str]:
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {str(address[0]).partition("%")[0] for *_, address in entries}
