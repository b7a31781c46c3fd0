"""Choose the model for partials.

By default, partials come from an engine that calls itself cheap, if its model is on this machine,
is no larger than the model of the final and knows one of its languages, and the server runs on a
CPU (measured 2026-11-27, docs/decisions/080). All others come from the model of the final.
"""

from auricle.config.section import variable
from auricle.config.sections.live import NO_PARTIALS
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.models import Models, ServedModel
from auricle.engines.placement import Placement, resolve_placement
from auricle.engines.registry import BUILT_IN, find_engine
from auricle.values.errors import SetupError

SAME = "same"
WORKERS_PER_WORKER = 4
"""Workers of finals for each worker of partials."""


def find_partial_model(name: str | None, models: Models) -> ServedModel | None:
    """Return the model that recognises partials in separate workers; ``None``: no separate workers.

    Args:
        name: The setting: a name of the table, ``same``, ``none``, or ``None`` for the default.
        models: The models of the server.

    Raises:
        SetupError: There is no such model; the message lists the names.
    """
    if name in (SAME, NO_PARTIALS):
        return None
    if name is not None:
        if name not in models.names:
            raise SetupError(
                f"{variable('partial_model')} is {name!r}, which is not a model of this server; "
                f"use {', '.join(models.names)}, {SAME} or {NO_PARTIALS}."
            )
        return models.find(name)
    default = models.default
    if default.settings.device != "cpu":
        return None
    return next((model for name in BUILT_IN if (model := _cheap_model(name, default))), None)


def _cheap_model(engine_name: str, default: ServedModel) -> ServedModel | None:
    """Return an engine's model for partials, if it is cheaper than the default model."""
    engine = find_engine(engine_name)
    if not engine.is_cheap or not engine.languages & default.engine.languages:
        return None
    settings = ModelSettings.model_validate(
        default.settings.model_dump()
        | {"engine": engine_name, "model": None, "compute_type": "default"}
    )
    local = [model for model in engine.models.named(settings.cache_dir) if model.is_local]
    if not local:
        return None
    if min(m.size_mb for m in local) > default.engine.models.status(default.settings).size_mb:
        return None
    return ServedModel(engine.models.default, engine, settings)


def place_partial_model(
    model: ServedModel, worker: WorkerSettings, final_workers: int
) -> Placement:
    """Return the placement of the workers of partials. Blocks.

    Args:
        model: The model.
        worker: Budgets and limits of workers.
        final_workers: Number of workers of finals.

    Raises:
        SetupError: The model or the GPU is not available; the message says what to do.
    """
    count = model.workers or max(1, final_workers // WORKERS_PER_WORKER)
    update = {"workers": count, "worker_threads": model.threads or 1}
    found = model.engine.models.find(model.settings, in_log=True)
    own = worker.model_copy(update=update)
    return resolve_placement(own, model.settings, model.engine, found)
