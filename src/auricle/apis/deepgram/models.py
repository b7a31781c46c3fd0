"""Deepgram's form of ``/v1/models``, which OpenAI has at the same path."""

from starlette.requests import Request

from auricle import __version__
from auricle.apis.deepgram.wire.models import ModelList, SttModel, is_deepgram, model_uuid
from auricle.engines.models import ServedModel
from auricle.server.service import Service


def is_from_deepgram(request: Request) -> bool:
    """Return whether a client expects Deepgram's form."""
    headers = request.headers
    return is_deepgram(headers.get("authorization", ""), headers.get("user-agent", ""))


def list_models(server: Service) -> ModelList:
    """Return the models, and the operator's aliases of them."""
    found = [_body(name, server.models.choose(name).model) for name in _names(server)]
    return {"stt": found, "tts": []}


def find_model(server: Service, name: str) -> SttModel:
    """Return a model by its UUID, which Deepgram's clients send, or by its name.

    Raises:
        ModelNotFound: There is no such model.
    """
    listed = next((each for each in _names(server) if model_uuid(each) == name), name)
    return _body(listed, server.models.choose(listed).model)


def _names(server: Service) -> list[str]:
    models = server.models
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
