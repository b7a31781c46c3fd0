"""PartialPool: recognises the partials of open utterances in dedicated workers.

Finals never wait for a partial: the workers are separate and have a lower priority.
"""

import time

from auricle.config.environment import worker_environment
from auricle.engines.placement import Placement
from auricle.values.errors import NoWorkerReady
from auricle.values.types import Job, JobKind, Task, Transcript
from auricle.workers.kinds.asr.codec import refuse_unsendable
from auricle.workers.kinds.asr.launch import start_message, worker_program
from auricle.workers.kinds.asr.messages import FROM_CHILD
from auricle.workers.kinds.partials.schedule import PartialSchedule
from auricle.workers.pool import Pool
from auricle.workers.priority import STARVED_FACTOR
from auricle.workers.process.launch import Launch

CHILD = "auricle.workers.kinds.partials.child"
STALLED_S = 3.0
"""A batch that takes longer is not waited for: its worker gets no processor time, or hangs."""


class PartialPool(Pool[Job, Transcript]):
    """Recognise partial jobs; a stream of jobs stays in one worker.

    Args:
        placement: The workers, and the engine and model that they load.
    """

    def __init__(self, placement: Placement) -> None:
        worker = placement.worker
        self._engine = engine = placement.engine
        self._languages = engine.parse_languages(placement.model.name)
        self._max_samples = engine.max_audio_samples
        rules = engine.batches.within(worker.batch_jobs)
        self._schedule = PartialSchedule(
            min(rules.max_jobs, rules.max_optional_jobs), STARVED_FACTOR * worker.job_timeout_min_s
        )
        threads = worker.worker_threads
        super().__init__(
            "partial",
            self._schedule,
            Launch(
                program=lambda: worker_program(CHILD, placement),
                start_message=lambda slot: start_message(placement, threads, slot),
                environment=worker_environment(threads),
                answers=FROM_CHILD,
            ),
            worker,
            worker.workers,
            model=placement.model.name,
        )

    @property
    def languages(self) -> frozenset[str]:
        """Codes of the languages that it recognises."""
        return self._languages

    def recognises(self, job: Job) -> bool:
        """Return whether it takes this job now: a partial in one of its languages."""
        options = job.options
        return (
            self.is_ready
            and job.kind is JobKind.PARTIAL
            and options.language in self._languages
            and (options.task is Task.TRANSCRIBE or self._engine.translates)
            and job.pcm.size <= self._max_samples
        )

    @property
    def is_ready(self) -> bool:
        """Whether a worker is ready, or busy and not stalled."""
        stalled = self._schedule.stalled(time.monotonic() - STALLED_S)
        return not self._is_closed and self._supervisor.ready > stalled

    async def transcribe(self, job: Job) -> Transcript:
        """Return the hypothesis for the utterance so far; cancelling the call cancels the job.

        Raises:
            NoWorkerReady: No worker is ready, or the pool is closed.
            BadRequest: The options cannot be encoded.
            Superseded: A newer partial replaced the job, its worker died, or too many are waiting.
            PoisonJob: Workers died repeatedly while they worked on this utterance.
            AudioError: The model cannot recognise this audio.
        """
        if not self.is_ready:
            raise NoWorkerReady("No worker for partials is ready.", 1)
        refuse_unsendable(job)
        return await self.submit(job)
