"""OpenAI's API."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auricle.protocol.client_profile import ClientProfile
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.service import Service

_TITLE = "OpenAI"


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.openai import files, live, models
    from auricle.apis.openai.errors import openai_refusal

    paths = ("/v1/audio/", "/v1/models", "/v1/realtime")
    return MountedApi(
        routes=[ApiRoutes(each.router, _TITLE, "/v1") for each in (files, models, live)],
        refusals=dict.fromkeys(paths, openai_refusal),
    )


def _clients() -> Sequence[ClientProfile]:
    from auricle.apis.openai.client_check.programs import CLIENTS

    return CLIENTS


SPEC = ApiSpec(
    name="openai", title=_TITLE, page="clients/openai-api.md", mount=_mount, client_checks=_clients
)
