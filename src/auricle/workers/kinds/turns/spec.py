"""Workers that judge the ends of turns."""

from auricle.workers.kinds.turns.pool import TurnPool
from auricle.workers.spec import PoolContext, WorkerSpec


async def _open(context: PoolContext) -> TurnPool | None:
    settings = context.settings
    return TurnPool(settings.worker, settings.turns) if settings.turns.turn_workers else None


SPEC = WorkerSpec(_open)
