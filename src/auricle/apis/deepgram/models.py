"""Deepgram's form of ``/v1/models``, which OpenAI has at the same path.

Deepgram's clients send ``Authorization: Token``, or Deepgram's name as their user agent. All others
get OpenAI's form. See docs/decisions/144.
"""

from fastapi import APIRouter
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from auricle import __version__
from auricle.apis.deepgram.wire.models import ModelList, SttModel, is_deepgram, model_uuid
from auricle.engines.models import Models, ServedModel
from auricle.server.http.openapi import answer
from auricle.server.http.responses import json_response
from auricle.server.http.selective_route import SelectiveRoute
from auricle.server.service import Service


class _DeepgramRoute(SelectiveRoute):
    def accepts(self, headers: Headers) -> bool:
        """Return whether a client expects Deepgram's form."""
        return is_deepgram(headers.get("authorization", ""), headers.get("user-agent", ""))


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(route_class=_DeepgramRoute, default_response_class=Response)
    models = service.recognition.models

    @router.get(
        "/v1/models", responses={200: answer("`stt` is for Deepgram's clients.", ModelList)}
    )
    async def get_models(request: Request) -> Response:
        """Return the models, and the operator's aliases of them."""
        service.access.admit(request)
        listed = [_body(name, models.choose(name).model) for name in _names(models)]
        return json_response(ModelList(stt=listed, tts=[]))

    @router.get(
        "/v1/models/{name:path}",
        responses={200: answer("Deepgram's clients get the same in Deepgram's form.", SttModel)},
    )
    async def get_model(request: Request, name: str) -> Response:
        """Return a model by its UUID, which Deepgram's clients send, or by its name."""
        service.access.admit(request)
        listed = next((each for each in _names(models) if model_uuid(each) == name), name)
        return json_response(_body(listed, models.choose(listed).model))

    return router


def _names(models: Models) -> list[str]:
    return list(dict.fromkeys((*(model.name for model in models), *models.aliases)))


def _body(name: str, model: ServedModel) -> SttModel:
    return {
        "name": name,
        "canonical_name": name,
        "architecture": model.engine.name,
        "languages": sorted(model.engine.languages),
        "version": __version__,
        "uuid": model_uuid(name),
        "batch": True,
        "streaming": True,
        "formatted_output": True,
    }
