"""OpenAI's API."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auricle.apis.openai import EPHEMERAL_PREFIX
from auricle.apis.openai.wire.products import PRODUCTS
from auricle.protocol.client_profile import ClientProfile
from auricle.server.access.key_style import KeyStyle
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.openai import files, live, models
    from auricle.apis.openai.errors import openai_refusal

    paths = ("/v1/audio/", "/v1/models", "/v1/realtime")
    return MountedApi(
        routes=[ApiRoutes(each.routes(server), "/v1") for each in (files, models, live)],
        refusals=dict.fromkeys(paths, openai_refusal),
        max_message_bytes={"/v1/realtime": live.MAX_MESSAGE_BYTES},
    )


def _clients() -> Sequence[ClientProfile]:
    from auricle.apis.openai.client_check.programs import CLIENTS

    return CLIENTS


SPEC = ApiSpec(
    name="openai",
    title="OpenAI",
    page="clients/openai-api.md",
    mount=_mount,
    sources=("openai-realtime",),
    products=PRODUCTS,
    key_style=KeyStyle(
        subprotocols=("openai-insecure-api-key.",), token_prefixes=(EPHEMERAL_PREFIX,)
    ),
    client_checks=_clients,
)
