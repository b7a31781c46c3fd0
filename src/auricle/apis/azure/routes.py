"""OpenAI's API at Azure OpenAI's paths, for its clients.

========================================  =========================================================
path                                      clients
========================================  =========================================================
``/openai/deployments/NAME/audio/…``      ``AzureOpenAI``: NAME is the model; the form may lack one
``/v1/deployments/NAME/audio/…``          ``AzureOpenAI`` with ``base_url=…/v1``: as above
``/openai/…``                             ``AzureOpenAI`` for all else: models, Realtime
``/openai/v1/…``                          ``OpenAI`` with Azure's base URL
========================================  =========================================================

Clients add ``api-version`` to each query; it has no effect. They send keys as ``api-key``
(:mod:`auricle.server.access.keyring`). Errors have OpenAI's format.
"""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.openai.files import FORM, RESPONSES, answer_form
from auricle.server.service import Service
from auricle.values.types import Task

PREFIXES = ("/openai", "/openai/v1")
"""What precedes OpenAI's paths instead of ``/v1``."""

_Deployment = Annotated[
    str, Path(description="Name of a model; an unknown one is the default or is rejected.")
]


def routes(service: Service, openai: Iterable[APIRouter]) -> APIRouter:
    """Return the routes of a server below ``/openai``.

    Args:
        service: The server.
        openai: The routes of OpenAI's APIs, which are repeated.
    """
    deployments = deployment_routes(service)
    router = APIRouter(default_response_class=Response)
    router.include_router(deployments, prefix=PREFIXES[0])
    router.include_router(deployments, prefix=PREFIXES[1], include_in_schema=False)
    for each in openai:
        for prefix in PREFIXES:
            router.include_router(each, prefix=prefix, include_in_schema=False)
    return router


def deployment_routes(service: Service) -> APIRouter:
    """Return the routes whose path names the model."""
    router = APIRouter(default_response_class=Response)
    uploads = service.uploads

    @router.post(
        "/deployments/{deployment:path}/audio/transcriptions",
        summary="Transcribe audio (Azure OpenAI)",
        responses=RESPONSES,
        openapi_extra=FORM,
    )
    async def post_transcription(request: Request, deployment: _Deployment) -> Response:
        """Return the transcript of a file; the deployment is the model."""
        return await answer_form(uploads, request, Task.TRANSCRIBE, deployment)

    @router.post(
        "/deployments/{deployment:path}/audio/translations",
        summary="Translate audio into English (Azure OpenAI)",
        responses=RESPONSES,
        openapi_extra=FORM,
    )
    async def post_translation(request: Request, deployment: _Deployment) -> Response:
        """Return the English text of a file in any language; the deployment is the model."""
        return await answer_form(uploads, request, Task.TRANSLATE, deployment)

    return router
