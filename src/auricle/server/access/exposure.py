"""Who can reach the server's port, and the port itself."""

import ipaddress
import socket

from auricle.config.sections.server import ServerSettings
from auricle.server.net.listen import open_sockets
from auricle.values.errors import SetupError


def listen(settings: ServerSettings) -> list[socket.socket]:
    """Return listening sockets for the configured address. Call it before workers start.

    Raises:
        SetupError: The port is in use, the host is unknown, or the address requires keys.
    """
    check_exposure(settings)
    return open_sockets(settings.host, settings.port, "AURICLE_PORT")


def check_exposure(settings: ServerSettings) -> None:
    """Reject settings that expose a server without keys, unless ``insecure_no_auth`` is set.

    Raises:
        SetupError: The host isn't loopback and there are no keys, or the host is unknown.
    """
    if is_exposed(settings) and not settings.insecure_no_auth:
        raise SetupError(
            f"Listening on {settings.host} exposes the server to other machines, so it needs keys: "
            "set AURICLE_API_KEYS=name:key or AURICLE_KEYS_FILE, or keep AURICLE_HOST=127.0.0.1. "
            "To serve without authentication, use --insecure-no-auth."
        )


def is_exposed(settings: ServerSettings) -> bool:
    """Return whether other machines can use the server without a key.

    Raises:
        SetupError: The host is unknown.
    """
    return not settings.has_keys and not is_loopback(settings.host)


def is_loopback(host: str, variable: str = "AURICLE_HOST") -> bool:
    """Return whether a host is reachable from this machine only.

    Args:
        host: A name or address; empty means all interfaces.
        variable: The setting it is from, for the error.

    Raises:
        SetupError: The name can't be resolved.
    """
    if not host:
        return False
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SetupError(f"{variable}={host} is not an address of this machine.") from error
    return all(
        ipaddress.ip_address(str(entry[4][0]).split("%")[0]).is_loopback for entry in entries
    )
