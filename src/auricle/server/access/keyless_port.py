"""A port for a protocol without authentication.

Its clients can send no key, so it is reachable from this machine only, unless the operator opens
it.
"""

import socket
from dataclasses import dataclass

from auricle.config.section import variable
from auricle.server.access.exposure import is_loopback
from auricle.server.net.listen import open_sockets
from auricle.values.errors import SetupError


@dataclass(frozen=True, slots=True)
class KeylessPort:
    """The settings of a port.

    Attributes:
        protocol: Name of the protocol, for errors.
        name: Name of the setting that enables it; the others begin with it.
        is_enabled: Whether the port is served.
        host: Address to listen on.
        port: Port; 0 picks a free port.
        is_open: Whether other machines are allowed.
        users: Who connects to it, for the terminal.
    """

    protocol: str
    name: str
    is_enabled: bool
    host: str
    port: int
    is_open: bool
    users: str

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can connect.

        Raises:
            SetupError: The host is unknown.
        """
        return not is_loopback(self.host, variable(f"{self.name}_host"))

    def listen(self) -> list[socket.socket]:
        """Return listening sockets; none if the protocol is disabled.

        Raises:
            SetupError: The port is in use, the host is unknown, or other machines could connect
                although the port is not open.
        """
        if not self.is_enabled:
            return []
        if self.is_exposed and not self.is_open:
            raise SetupError(
                f"{self.protocol} has no authentication, and other machines can connect to "
                f"{self.host}. Set {variable(f'{self.name}_open')}=1 to allow this, or set "
                f"{variable(f'{self.name}_host')}=127.0.0.1."
            )
        return open_sockets(self.host, self.port, variable(f"{self.name}_port"))
