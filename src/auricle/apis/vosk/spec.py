"""Vosk's WebSocket."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auricle.apis.vosk.settings import VoskSettings
from auricle.config.section import variable
from auricle.config.settings import Settings
from auricle.protocol.client_profile import ClientProfile
from auricle.server.api_spec import ApiSpec, HttpPort, MountedApi
from auricle.values.errors import SetupError

if TYPE_CHECKING:
    from auricle.server.access.keyless_port import KeylessPort
    from auricle.server.service import Service


def vosk_port(settings: Settings) -> "KeylessPort":
    """Return Vosk's port.

    Raises:
        SetupError: It has the number of the API's port. Firewalls know ports by their number, and
            only clients of the API need a key.
    """
    from auricle.server.access.keyless_port import KeylessPort

    own, port = settings.section(VoskSettings), settings.server.port
    if own.vosk and own.vosk_port == port != 0:
        raise SetupError(
            f"{variable('vosk_port')} and {variable('port')} are both {port}, and "
            "Vosk has no authentication. Set different ports, also on different addresses."
        )
    return KeylessPort(
        "Vosk",
        "vosk",
        own.vosk,
        own.vosk_host,
        own.vosk_port,
        own.vosk_open,
        "telephony and meetings",
    )


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.vosk.live import VoskApp

    port = vosk_port(server.settings)
    return MountedApi(ports=(HttpPort(port, VoskApp(server.streams, is_open=port.is_open)),))


def _clients() -> Sequence[ClientProfile]:
    from auricle.apis.vosk.client_check import CLIENTS

    return CLIENTS


SPEC = ApiSpec(
    name="vosk",
    title="Vosk",
    page="clients/vosk.md",
    mount=_mount,
    sources=("vosk",),
    client_checks=_clients,
    ports=(vosk_port,),
)
