"""OpenAI's API at Azure OpenAI's paths."""

from typing import TYPE_CHECKING

from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.service import Service

_TITLE = "Azure OpenAI"


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.azure.routes import PREFIX, deployments, router
    from auricle.apis.openai.errors import openai_refusal

    return MountedApi(
        routes=(
            ApiRoutes(router, _TITLE),
            ApiRoutes(deployments, _TITLE, "/v1", is_listed=False),
        ),
        refusals=dict.fromkeys((f"{PREFIX}/", "/v1/deployments/"), openai_refusal),
    )


SPEC = ApiSpec(name="azure", title=_TITLE, page="clients/azure-openai.md", mount=_mount)
