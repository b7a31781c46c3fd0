"""Choose the model for partials.

By default, English partials come from Moonshine, if it is installed, is no larger than the model of
the final, and the server runs on a CPU: a partial costs a fifth of one of Whisper base, and fewer
of its words change later (measured 2026-11-27, docs/decisions/080). All others come from the model
of the final.
"""

from auricle.config.settings import NO_PARTIALS, ModelSettings, WorkerSettings, variable
from auricle.engines.models import Models, ServedModel
from auricle.engines.placement import Placement, resolve_placement
from auricle.engines.registry import find_engine
from auricle.values.errors import SetupError

SAME = "same"
CHEAP_ENGINE = "moonshine"
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
    settings = ModelSettings.model_validate(
        default.settings.model_dump()
        | {"engine": CHEAP_ENGINE, "model": None, "models": (), "compute_type": "default"}
    )
    engine = find_engine(CHEAP_ENGINE)
    local = [model for model in engine.models.named(settings.cache_dir) if model.is_local]
    if not local or not engine.languages & default.engine.languages:
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
