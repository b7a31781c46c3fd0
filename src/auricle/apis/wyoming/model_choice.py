"""The model of a command that names none: one that has its language."""

import msgspec

from auricle.engines.models import Models
from auricle.values.commands import StreamParameters


def with_model(parameters: StreamParameters, models: Models) -> StreamParameters:
    """Return the parameters with a model for their language.

    Home Assistant names no model, and offers the languages of all models. Unless the default model
    has the language, the first model that has it is used; if there is none, nothing changes.
    """
    language = parameters.language
    if parameters.model or language is None or language in models.default.engine.languages:
        return parameters
    names = (model.name for model in models if language in model.engine.languages)
    return msgspec.structs.replace(parameters, model=next(names, ""))
