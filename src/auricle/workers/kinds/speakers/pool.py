"""SpeakerPool: a VoiceEmbedder on local processes."""

from auricle.config.environment import worker_environment
from auricle.config.sections.queue import QueueSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.values.types import EmbedJob, SpeakerEmbeddings
from auricle.workers.kinds.speakers.messages import FROM_CHILD
from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL, check_file
from auricle.workers.kinds.speakers.schedule import SpeakerSchedule
from auricle.workers.kinds.speakers.settings import SpeakerSettings
from auricle.workers.poison import CrashBudget, PoisonTracker
from auricle.workers.pool import Pool
from auricle.workers.priority import STARVED_FACTOR
from auricle.workers.process.launch import Launch, confined_program, hard_limit_bytes
from auricle.workers.wire.messages import StartModel

CHILD = "auricle.workers.kinds.speakers.child"
THREADS = 1
"""Threads of a worker; two threads need more processor time for the same work."""


class SpeakerPool(Pool[EmbedJob, SpeakerEmbeddings]):
    """Embed speech in worker processes, which the first job starts, or :meth:`prepare`.

    Args:
        worker: Budgets, limits and backoff of workers.
        settings: Number of workers, at least 1, and the model.
        queue: How many deaths make a job poison, and for how long its audio is rejected, and
            clients that send it.

    Raises:
        SetupError: The file of the model is not a speaker model.
    """

    def __init__(
        self, worker: WorkerSettings, settings: SpeakerSettings, queue: QueueSettings
    ) -> None:
        path = settings.speaker_model or BUNDLED_MODEL
        check_file(path)
        budget = CrashBudget.of(queue)
        poison = PoisonTracker(queue.poison_attempts, queue.poison_ttl_s, budget)
        model = str(path)
        super().__init__(
            "speaker",
            SpeakerSchedule(STARVED_FACTOR * worker.job_timeout_min_s, poison, budget),
            Launch(
                program=lambda: confined_program(CHILD, worker, [model]),
                start_message=lambda _: StartModel(model, THREADS, hard_limit_bytes(worker)),
                environment=worker_environment(THREADS),
                answers=FROM_CHILD,
            ),
            worker,
            settings.speaker_workers,
            model=path.stem,
            is_lazy=True,
        )

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        """Return the embeddings of the job's stretches; cancelling the call cancels the job.

        Stretches without a voice are left out: those below 0.3 s, and digital silence.

        Raises:
            SpeakersUnavailable: See :class:`auricle.values.transcriber.VoiceEmbedder`.
            ValueError: A stretch is longer than 30 s, or there are more than 1000.
        """
        self.refuse_when_down()
        return await self.submit(job)
