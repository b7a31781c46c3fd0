"""Auricle's own API."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from auricle.server.access.key_style import KeyStyle
from auricle.server.api_spec import ApiRoutes, ApiSpec, MountedApi

if TYPE_CHECKING:
    from auricle.server.job_answers import JobAnswers
    from auricle.server.service import Service


def _mount(server: "Service") -> MountedApi:
    from auricle.apis.native import files, jobs, live, tokens

    return MountedApi(
        routes=(
            ApiRoutes(files.routes(server), tag="Transcribe"),
            ApiRoutes(live.routes(server), tag="Transcribe"),
            ApiRoutes(jobs.routes(server), tag="Jobs"),
            ApiRoutes(tokens.routes(server), tag="Tokens"),
        ),
    )


def _job_answers() -> "Mapping[str, JobAnswers]":
    from auricle.apis.native.job_answers import ANSWERS, API

    return {API: ANSWERS}


SPEC = ApiSpec(
    name="native",
    title="Auricle",
    page="reference/protocol.md",
    mount=_mount,
    sources=("native",),
    key_style=KeyStyle(subprotocols=("key.",)),
    job_answers=_job_answers,
)
