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

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.openai import files as transcriptions
from auricle.apis.openai import live as realtime
from auricle.apis.openai import models
from auricle.apis.openai.files import FORM, RESPONSES, answer_form
from auricle.server.service import Service
from auricle.values.types import Task

PREFIX = "/openai"


def routes(service: Service) -> APIRouter:
    """Return the routes of a server below ``/openai``."""
    deployments = deployment_routes(service)
    others = [each.routes(service) for each in (transcriptions, models, realtime)]
    router = APIRouter(prefix=PREFIX, default_response_class=Response)
    router.include_router(deployments)
    router.include_router(deployments, prefix="/v1", include_in_schema=False)
    for prefix in ("", "/v1"):
        for each in others:
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
    async def post_transcription(request: Request, deployment: str) -> Response:
        """Return the transcript of a file; the deployment is the model."""
        return await answer_form(uploads, request, Task.TRANSCRIBE, deployment)

    @router.post(
        "/deployments/{deployment:path}/audio/translations",
        summary="Translate audio into English (Azure OpenAI)",
        responses=RESPONSES,
        openapi_extra=FORM,
    )
    async def post_translation(request: Request, deployment: str) -> Response:
        """Return the English text of a file in any language; the deployment is the model."""
        return await answer_form(uploads, request, Task.TRANSLATE, deployment)

    return router
