"""The API of whisper-asr-webservice."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auricle.apis.asr_webservice.settings import AsrWebserviceSettings
from auricle.protocol.client_profile import ClientProfile
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    if not server.settings.section(AsrWebserviceSettings).asr_webservice:
        return MountedApi()
    from auricle.apis.asr_webservice import files, status
    from auricle.apis.asr_webservice.errors import refusal

    return MountedApi(
        routes=(ApiRoutes(files.routes(server)), ApiRoutes(status.routes())),
        refusals=dict.fromkeys(files.PATHS, refusal),
    )


def _clients() -> Sequence[ClientProfile]:
    from auricle.apis.asr_webservice.client_check import CLIENTS

    return CLIENTS


SPEC = ApiSpec(
    name="asr_webservice",
    title="whisper-asr-webservice",
    page="clients/asr-webservice.md",
    mount=_mount,
    client_checks=_clients,
)
