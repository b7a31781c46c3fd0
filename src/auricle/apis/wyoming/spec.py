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

SERVICE_TYPE = "_wyoming._tcp"
"""Type of the service in announcements, as Home Assistant looks for it."""


def wyoming_port(settings: Settings) -> "KeylessPort":
    """Return Wyoming's port."""
    from auricle.server.access.keyless_port import KeylessPort

    own = settings.section(WyomingSettings)
    return KeylessPort(
        "Wyoming",
        "wyoming",
        own.wyoming,
        own.wyoming_host,
        own.wyoming_port,
        own.wyoming_open,
        "Home Assistant",
        SERVICE_TYPE if own.wyoming_zeroconf else "",
    )


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.wyoming.live import WyomingServer

    own = WyomingServer(server.streams, server.metrics)
    return MountedApi(ports=(TcpPort(wyoming_port(server.settings), own.serve),))


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
