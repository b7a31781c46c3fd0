"""Wyoming, Home Assistant's protocol for voice services."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auricle.apis.wyoming.settings import WyomingSettings
from auricle.config.settings import Settings
from auricle.protocol.client_profile import ClientProfile
from auricle.server.api_spec import ApiSpec, MountedApi, TcpPort

if TYPE_CHECKING:
    from auricle.server.access.keyless_port import KeylessPort
    from auricle.server.service import Service


def wyoming_port(settings: Settings) -> "KeylessPort":
    """Return Wyoming's port.

    Raises:
        SetupError: The settings request an announcement of the port, which is not possible.
    """
    from auricle.apis.wyoming.announcer import check_announcement
    from auricle.server.access.keyless_port import KeylessPort

    own = settings.section(WyomingSettings)
    port = KeylessPort(
        "Wyoming",
        "wyoming",
        own.wyoming,
        own.wyoming_host,
        own.wyoming_port,
        own.wyoming_open,
        "Home Assistant",
    )
    if own.wyoming_zeroconf:
        check_announcement(port)
    return port


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.wyoming.announcer import announced
    from auricle.apis.wyoming.live import WyomingServer

    port = wyoming_port(server.settings)
    serve = WyomingServer(server.streams, server.metrics).serve
    is_announced = server.settings.section(WyomingSettings).wyoming_zeroconf
    tcp_port = TcpPort(port, announced(serve, port.host) if is_announced else serve)
    return MountedApi(ports=(tcp_port,))


def _clients() -> Sequence[ClientProfile]:
    from auricle.apis.wyoming.client_check import CLIENTS

    return CLIENTS


SPEC = ApiSpec(
    name="wyoming",
    title="Wyoming",
    page="clients/home-assistant.md",
    mount=_mount,
    sources=("wyoming",),
    client_checks=_clients,
    ports=(wyoming_port,),
)
