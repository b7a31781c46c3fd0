"""A port for a protocol without authentication: Wyoming, Vosk.

Its clients can send no key, so it is reachable from this machine only, unless the operator opens
it.
"""

import socket
from dataclasses import dataclass

from auricle.config.section import variable
from auricle.config.settings import ServerSettings
from auricle.server.access.exposure import is_loopback
from auricle.server.net.announcer import check_announcer
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
    """

    protocol: str
    name: str
    is_enabled: bool
    host: str
    port: int
    is_open: bool

    @classmethod
    def wyoming(cls, settings: ServerSettings) -> "KeylessPort":
        """Return Wyoming's port."""
        return cls(
            "Wyoming",
            "wyoming",
            settings.wyoming,
            settings.wyoming_host,
            settings.wyoming_port,
            settings.wyoming_open,
        )

    @classmethod
    def vosk(cls, settings: ServerSettings) -> "KeylessPort":
        """Return Vosk's port.

        Raises:
            SetupError: It has the number of the API's port. Its clients are known by that number,
                so those of the API would need no key.
        """
        if settings.vosk and settings.vosk_port == settings.port != 0:
            raise SetupError(
                f"{variable('vosk_port')} and {variable('port')} are both {settings.port}, and "
                "Vosk has no authentication. Set different ports, also on different addresses."
            )
        return cls(
            "Vosk",
            "vosk",
            settings.vosk,
            settings.vosk_host,
            settings.vosk_port,
            settings.vosk_open,
        )

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


def check_announcement(settings: ServerSettings) -> None:
    """Check that the port can be announced, if the settings request it.

    Raises:
        SetupError: The port is not served, other machines can't reach it, or the library is
            missing.
    """
    if not settings.wyoming_zeroconf:
        return
    if not settings.wyoming:
        raise SetupError("AURICLE_WYOMING_ZEROCONF requires AURICLE_WYOMING=1.")
    if not KeylessPort.wyoming(settings).is_exposed:
        raise SetupError(
            "AURICLE_WYOMING_ZEROCONF announces Wyoming to other machines, but it accepts "
            "connections from this one only: set AURICLE_WYOMING_HOST and AURICLE_WYOMING_OPEN=1."
        )
    check_announcer()
