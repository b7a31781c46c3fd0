"""Workers that recognise partials apart from finals."""

from functools import partial

import anyio
import structlog

from auricle.values.errors import SetupError
from auricle.workers.kinds.partials.model import find_partial_model, place_partial_model
from auricle.workers.kinds.partials.pool import PartialPool
from auricle.workers.spec import PoolContext, WorkerSpec

log = structlog.get_logger("auricle.server")


async def _open(context: PoolContext) -> PartialPool | None:
    """Return the pool; ``None`` if the workers of finals recognise partials.

    A gateway has one only if the setting names a model that it has: its machine may be small.

    Raises:
        SetupError: The model of the setting is not available.
    """
    settings = context.settings
    name = settings.live.partial_model
    if context.is_gateway and name is None:
        return None
    model = find_partial_model(name, context.models)
    if model is None:
        return None
    try:
        place = await anyio.to_thread.run_sync(
            partial(place_partial_model, model, settings.worker, context.final_workers)
        )
    except SetupError as exc:
        if name is not None:
            raise
        sentence = f"{model.engine.name} is not used for partials: {exc}"
        context.warn("partial_model_not_used", sentence)
        return None
    log.info("partials", model=place.model.name, workers=place.worker.workers)
    return PartialPool(place)


SPEC = WorkerSpec(_open, is_started_late=True)
