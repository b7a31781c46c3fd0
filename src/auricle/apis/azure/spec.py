"""OpenAI's API at Azure OpenAI's paths."""

from typing import TYPE_CHECKING

from auricle.server.access.key_style import KeyStyle
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.azure.routes import PREFIX, deployment_routes, routes
    from auricle.apis.openai.errors import openai_refusal
    from auricle.apis.openai.live import MAX_MESSAGE_BYTES

    return MountedApi(
        routes=(
            ApiRoutes(routes(server)),
            ApiRoutes(deployment_routes(server), "/v1", is_listed=False),
        ),
        refusals=dict.fromkeys((f"{PREFIX}/", "/v1/deployments/"), openai_refusal),
        max_message_bytes=dict.fromkeys(
            (f"{PREFIX}/realtime", f"{PREFIX}/v1/realtime"), MAX_MESSAGE_BYTES
        ),
    )


SPEC = ApiSpec(
    name="azure",
    title="Azure OpenAI",
    page="clients/azure-openai.md",
    mount=_mount,
    key_style=KeyStyle(headers=("api-key",)),
)
