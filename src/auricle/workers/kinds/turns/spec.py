"""Workers that judge the ends of turns."""

from auricle.workers.kinds.turns.pool import TurnPool
from auricle.workers.kinds.turns.settings import TurnSettings
from auricle.workers.spec import PoolContext, WorkerSpec


async def _open(context: PoolContext) -> TurnPool | None:
    turns = context.settings.section(TurnSettings)
    return TurnPool(context.settings.worker, turns) if turns.turn_workers else None


SPEC = WorkerSpec(_open)
