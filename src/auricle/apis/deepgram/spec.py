"""Deepgram's API: live and for files, and Flux."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from auricle.apis.deepgram.wire.products import PRODUCTS
from auricle.protocol.client_profile import ClientProfile
from auricle.server.access.key_style import KeyStyle
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.job_answers import JobAnswers
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.deepgram import files, flux, live, models, tokens
    from auricle.apis.deepgram.errors import refusal

    return MountedApi(
        routes=(
            *(ApiRoutes(each.routes(server)) for each in (live, files, flux, models)),
            ApiRoutes(tokens.routes(server), tag="Tokens"),
        ),
        refusals=dict.fromkeys(("/v1/listen", "/v2/listen", "/v1/auth/grant"), refusal),
        exposed_headers=("dg-request-id", "dg-error"),
    )


def _job_answers() -> "Mapping[str, JobAnswers]":
    from auricle.apis.deepgram.job_answers import ANSWERS, API

    return {API: ANSWERS}


def _clients() -> Sequence[ClientProfile]:
    from auricle.apis.deepgram.client_check.programs import CLIENTS

    return CLIENTS


SPEC = ApiSpec(
    name="deepgram",
    title="Deepgram",
    page="clients/deepgram.md",
    mount=_mount,
    sources=("deepgram", "flux"),
    products=PRODUCTS,
    key_style=KeyStyle(schemes=("token",), introductions=("token", "bearer")),
    job_answers=_job_answers,
    client_checks=_clients,
)
