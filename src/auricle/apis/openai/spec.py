"""OpenAI's API for files, and its list of models."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auricle.apis.openai.wire.products import PRODUCTS
from auricle.protocol.client_profile import ClientProfile
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.openai import files, models
    from auricle.apis.openai.errors import openai_refusal

    return MountedApi(
        routes=[ApiRoutes(each.routes(server), "/v1") for each in (files, models)],
        refusals=dict.fromkeys(("/v1/audio/", "/v1/models"), openai_refusal),
    )


def _clients() -> Sequence[ClientProfile]:
    from auricle.apis.openai.client_check import CLIENTS

    return CLIENTS


SPEC = ApiSpec(
    name="openai",
    title="OpenAI",
    page="clients/openai-api.md",
    mount=_mount,
    products=PRODUCTS,
    client_checks=_clients,
)
