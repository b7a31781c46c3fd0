"""Wyoming, Home Assistant's protocol for voice services."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import anyio

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
    from auricle.apis.wyoming.home_assistant.names import HomeAssistantNames
    from auricle.apis.wyoming.live import WyomingServer

    port = wyoming_port(server.settings)
    own = server.settings.section(WyomingSettings)
    read_names = _names_reader(own) if own.wyoming else None
    names = None if read_names is None else HomeAssistantNames(read_names)
    serve = WyomingServer(
        server.streams,
        server.metrics,
        ends_commands=own.wyoming_ends_commands,
        names=tuple if names is None else lambda: names.current,
    ).serve
    tcp_port = TcpPort(port, announced(serve, port.host) if own.wyoming_zeroconf else serve)
    return MountedApi(ports=(tcp_port,), tasks=() if names is None else (names.follow,))


def _names_reader(own: WyomingSettings) -> Callable[[], Awaitable[tuple[str, ...]]] | None:
    """Return what reads the names of Home Assistant, if the settings request them."""
    token = own.wyoming_home_assistant_token
    if not own.wyoming_home_assistant_url or token is None:
        return None
    from auricle.apis.wyoming.home_assistant.client import read_names

    return partial(read_names, own.wyoming_home_assistant_url, token.get_secret_value())


def _checks(settings: Settings) -> Sequence[Callable[[], str]]:
    read_names = _names_reader(settings.section(WyomingSettings))
    if read_names is None:
        return ()

    def check_names() -> str:
        return f"{len(anyio.run(read_names))} names of Home Assistant are hot words"

    return (check_names,)


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
    checks=_checks,
)
