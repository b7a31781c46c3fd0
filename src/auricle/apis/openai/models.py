"""``/v1/models``: the server's models, in OpenAI's format with more fields.

The models come first, the default before the others; then the names that mean one of them: the
operator's aliases, and OpenAI's names, because some programs offer only names that are listed.
"""

import time
from collections.abc import Iterator

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from auricle.apis.openai.wire.errors import ErrorResponse
from auricle.apis.openai.wire.models import DataFlow, Model, Models
from auricle.apis.openai.wire.products import FILE_MODELS
from auricle.engines.models import ServedModel
from auricle.server.http.openapi import KEYED, answer, refusals
from auricle.server.http.responses import json_response
from auricle.server.service import Service, service_of
from auricle.values.transcriber import ModelState

_SINCE = int(time.time())
_PUBLISHER = "auricle"

router = APIRouter(default_response_class=Response)


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
    server = service_of(request)
    server.access.admit(request)
    models = [_body(server, name, model) for name, model in _named(server)]
    return json_response(Models(object="list", data=models, data_flow=_data_flow(server)))


@router.get(
    "/models/{name:path}",
    summary="Get a model (OpenAI)",
    responses={
        200: answer("The model.", Model),
        **refusals(ErrorResponse, *KEYED, 404),
    },
)
async def get_model(request: Request, name: str) -> Response:
    """Return the model that requests mean by a name."""
    server = service_of(request)
    server.access.admit(request)
    return json_response(_body(server, name, server.recognition.models.choose(name).model))


def _data_flow(server: Service) -> DataFlow:
    ledger = server.settings.ledger
    return {
        "recognition": "recognisers" if server.recognition.has_remote_recognisers else "server",
        "job_audio": "server" if ledger.audio_url is None else "s3",
        "database": "server" if ledger.database_url is None else "postgresql",
        "keeps_transcripts": ledger.keep_transcripts,
    }


def _named(server: Service) -> Iterator[tuple[str, ServedModel]]:
    """Yield the names of the list, each once, with their models."""
    models = server.recognition.models
    own = {model.name: model for model in models}
    yield from own.items()
    for name in dict.fromkeys((*models.aliases, *FILE_MODELS)):
        if name not in own:
            yield name, models.choose(name).model


def _body(server: Service, name: str, model: ServedModel) -> Model:
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
        "loaded": _is_loaded(server, model),
    }


def _is_loaded(server: Service, model: ServedModel) -> bool:
    stats = server.recognition.transcriber.stats()
    if not stats.models:  # there are no workers here
        return stats.ready
    return any(each.name == model.name and each.state is ModelState.READY for each in stats.models)
