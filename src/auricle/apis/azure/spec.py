"""OpenAI's API at Azure OpenAI's paths."""

from typing import TYPE_CHECKING

from auricle.server.access.key_style import KeyStyle
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.service import Service


_OPENAI = ("openai", "openai_realtime")
"""OpenAI's APIs. Realtime is optional, so it is found by its name and not imported."""


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.azure.routes import PREFIXES, deployment_routes, routes
    from auricle.apis.openai.errors import openai_refusal

    openai = MountedApi.all_of(api.mount(server) for api in server.apis if api.name in _OPENAI)
    return MountedApi(
        routes=(
            ApiRoutes(routes(server, [each.router for each in openai.routes])),
            ApiRoutes(deployment_routes(server), "/v1", is_listed=False),
        ),
        refusals=dict.fromkeys((f"{PREFIXES[0]}/", "/v1/deployments/"), openai_refusal),
        max_message_bytes={
            f"{prefix}{path.removeprefix('/v1')}": size
            for path, size in openai.max_message_bytes.items()
            for prefix in PREFIXES
        },
    )


SPEC = ApiSpec(
    name="azure",
    title="Azure OpenAI",
    page="clients/azure-openai.md",
    mount=_mount,
    key_style=KeyStyle(headers=("api-key",)),
)
