"""TurnPool: a TurnJudge on local processes."""

from auricle.config.environment import worker_environment
from auricle.config.sections.worker import WorkerSettings
from auricle.values.types import TurnJob
from auricle.workers.kinds.turns.messages import FROM_CHILD
from auricle.workers.kinds.turns.model_file import BUNDLED_MODEL
from auricle.workers.kinds.turns.schedule import TurnSchedule
from auricle.workers.kinds.turns.settings import TurnSettings
from auricle.workers.pool import Pool
from auricle.workers.process.launch import Launch, confined_program, hard_limit_bytes
from auricle.workers.wire.messages import StartModel

CHILD = "auricle.workers.kinds.turns.child"
THREADS = 1
"""Threads of a worker; two threads need more processor time for the same work."""


class TurnPool(Pool[TurnJob, float]):
    """Judge ends of turns in worker processes, which the first job starts.

    Args:
        worker: Budgets, limits and backoff of workers.
        settings: Number of workers, at least 1.
    """

    def __init__(self, worker: WorkerSettings, settings: TurnSettings) -> None:
        model = str(BUNDLED_MODEL)
        super().__init__(
            "turn",
            TurnSchedule(worker.job_timeout_min_s),
            Launch(
                program=lambda: confined_program(CHILD, worker, [model]),
                start_message=lambda _: StartModel(model, THREADS, hard_limit_bytes(worker)),
                environment=worker_environment(THREADS),
                answers=FROM_CHILD,
            ),
            worker,
            settings.turn_workers,
            model=BUNDLED_MODEL.stem,
            is_lazy=True,
        )

    async def judge(self, job: TurnJob) -> float:
        """Return the probability of a finished turn; see :class:`.TurnJudge`.

        Raises:
            TurnsUnavailable: There is no answer within the job's deadline.
        """
        self.refuse_when_down()
        return await self.submit(job)
