"""OpenAI's Realtime API, for transcription."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auricle.apis.openai_realtime import EPHEMERAL_PREFIX
from auricle.apis.openai_realtime.wire.products import PRODUCTS
from auricle.protocol.client_profile import ClientProfile
from auricle.server.access.key_style import KeyStyle
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.openai.errors import openai_refusal
    from auricle.apis.openai_realtime.live import MAX_MESSAGE_BYTES, routes

    path = "/v1/realtime"
    return MountedApi(
        routes=[ApiRoutes(routes(server), "/v1")],
        refusals={path: openai_refusal},
        max_message_bytes={path: MAX_MESSAGE_BYTES},
    )


def _clients() -> Sequence[ClientProfile]:
    from auricle.apis.openai_realtime.client_check.programs import CLIENTS

    return CLIENTS


SPEC = ApiSpec(
    name="openai_realtime",
    title="OpenAI",  # as its API for files has: one heading in the OpenAPI document
    page="clients/realtime.md",
    mount=_mount,
    sources=("openai-realtime",),
    products=PRODUCTS,
    key_style=KeyStyle(
        subprotocols=("openai-insecure-api-key.",), token_prefixes=(EPHEMERAL_PREFIX,)
    ),
    client_checks=_clients,
)
