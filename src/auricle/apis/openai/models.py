"""``/v1/models``: the server's models, in OpenAI's format with more fields.

The models come first, the default before the others; then the names that mean one of them: the
operator's aliases, and OpenAI's names, because some programs offer only names that are listed.
"""

import time
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.openai.wire.errors import ErrorResponse
from auricle.apis.openai.wire.models import DataFlow, Model, Models
from auricle.apis.openai.wire.products import FILE_MODELS
from auricle.engines.models import ServedModel
from auricle.ledger.location import audio_at, database_at
from auricle.server.http.openapi import KEYED, answer, refusals
from auricle.server.http.responses import json_response
from auricle.server.recognition import Recognition
from auricle.server.service import Service
from auricle.values.transcriber import ModelState

_SINCE = int(time.time())
_PUBLISHER = "auricle"
_Name = Annotated[str, Path(description="Name of a model.")]


def routes(service: Service) -> APIRouter:
    """Return the routes of a server."""
    router = APIRouter(default_response_class=Response)
    access, recognition = service.access, service.recognition
    apis = sorted(api.name for api in service.apis)
    data_flow = _data_flow(service)

    @router.get(
        "/models",
        summary="List models (OpenAI)",
        responses={
            200: answer("All models.", Models),
            **refusals(ErrorResponse, *KEYED),
        },
    )
    async def get_models(request: Request) -> Response:
        """Return the models and the other names that requests may use."""
        access.admit(request)
        models = [_body(recognition, name, model) for name, model in _named(recognition)]
        return json_response(Models(object="list", data=models, data_flow=data_flow, apis=apis))

    @router.get(
        "/models/{name:path}",
        summary="Get a model (OpenAI)",
        responses={
            200: answer("The model.", Model),
            **refusals(ErrorResponse, *KEYED, 404),
        },
    )
    async def get_model(request: Request, name: _Name) -> Response:
        """Return the model that requests mean by a name."""
        access.admit(request)
        return json_response(_body(recognition, name, recognition.models.choose(name).model))

    return router


def _data_flow(service: Service) -> DataFlow:
    ledger = service.settings.ledger
    job_audio = database = "server"
    if (audio_url := ledger.audio_url) is not None:
        job_audio = audio_at(audio_url).schemes[0]
    if (database_url := ledger.database_url) is not None:
        database = database_at(database_url.get_secret_value()).schemes[0]
    is_remote = service.recognition.has_remote_recognisers
    return {
        "recognition": "recognisers" if is_remote else "server",
        "job_audio": job_audio,
        "database": database,
        "keeps_transcripts": service.jobs.keeps_results,
    }


def _named(recognition: Recognition) -> Iterator[tuple[str, ServedModel]]:
    """Yield the names of the list, each once, with their models."""
    models = recognition.models
    own = {model.name: model for model in models}
    yield from own.items()
    for name in dict.fromkeys((*models.aliases, *FILE_MODELS)):
        if name not in own:
            yield name, models.choose(name).model


def _body(recognition: Recognition, name: str, model: ServedModel) -> Model:
    engine = model.engine
    return {
        "id": name,
        "object": "model",
        "created": _SINCE,
        "owned_by": engine.author or _PUBLISHER,
        "root": model.name,
        "engine": engine.name,
        "languages": sorted(engine.languages),
        "detects_language": engine.detects_language,
        "translates": engine.translates,
        "word_times": engine.has_word_times,
        "streaming": engine.streams,
        "loaded": _is_loaded(recognition, model),
    }


def _is_loaded(recognition: Recognition, model: ServedModel) -> bool:
    stats = recognition.transcriber.stats()
    if not stats.models:  # there are no workers here
        return stats.ready
    return any(each.name == model.name and each.state is ModelState.READY for each in stats.models)
