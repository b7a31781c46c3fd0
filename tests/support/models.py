"""Tables of models that are made up."""

from auricle.config.sections.model import ModelSettings
from auricle.engines.base import EngineSpec
from auricle.engines.models import ModelTable, ServedModel


def models_of(default: EngineSpec, **others: EngineSpec) -> ModelTable:
    """Return a table: ``scripted`` is the default, others are named. Other names are unknown."""
    named = {"scripted": default, **others}
    models = tuple(ServedModel(name, spec, ModelSettings()) for name, spec in named.items())
    return ModelTable(models, accepts_unknown=not others)
