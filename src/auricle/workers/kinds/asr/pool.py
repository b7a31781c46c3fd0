"""WorkerPool: a Transcriber on local processes."""

import asyncio
import math
import time
from dataclasses import replace

import anyio

from auricle.config.environment import worker_environment
from auricle.config.sections.queue import QueueSettings
from auricle.config.sizing import pool_size
from auricle.engines.placement import Placement
from auricle.values.errors import BadRequest, Draining, NoWorkerReady, SetupError
from auricle.values.transcriber import Stats
from auricle.values.types import SAMPLE_RATE_HZ, Job, ReservationRequest, Transcript
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.kinds.asr.backlog import Ticket
from auricle.workers.kinds.asr.codec import refuse_unsendable
from auricle.workers.kinds.asr.launch import start_message, worker_program
from auricle.workers.kinds.asr.messages import FROM_CHILD
from auricle.workers.kinds.asr.schedule import AsrSchedule
from auricle.workers.kinds.asr.scheduler import Scheduler
from auricle.workers.kinds.asr.speed import Speed, Workers
from auricle.workers.poison import CrashBudget
from auricle.workers.pool import Pool
from auricle.workers.process.launch import Launch
from auricle.workers.process.process import ProcessExit
from auricle.workers.wire.messages import WorkerReady

CHILD = "auricle.workers.kinds.asr.child"


class WorkerPool(Pool[Job, Transcript]):
    """Recognise jobs in worker processes.

    Args:
        placement: The workers, and the engine and model that they load.
        queue: Bounds of the queue.
        crash_audio: Where jobs that crash a worker are kept; ``None`` keeps none.
        crash_budget: Crash budget of the clients, shared with other pools; ``None`` creates one for
            this pool.
        name: Prefix of the workers' IDs, unique among pools.
    """

    def __init__(
        self,
        placement: Placement,
        queue: QueueSettings,
        crash_audio: CrashAudio | None = None,
        crash_budget: CrashBudget | None = None,
        name: str = "asr",
    ) -> None:
        self._crash_audio = crash_audio
        self._placement = placement
        self._worker = worker = placement.worker
        engine, model = placement.engine, placement.model
        self._max_samples = engine.max_audio_samples
        size = pool_size(worker, engine.memory.worker_mb(model.size_mb))
        self._threads = size.threads
        on_cpu = placement.settings.device == "cpu"
        self._counts = Workers(size.workers)
        self._scheduler = Scheduler(
            queue,
            batches=engine.batches.within(worker.batch_jobs),
            workers=self._counts,
            speed=Speed(
                worker.job_timeout_min_s, worker.job_timeout_factor, self._counts, engine.costs
            ),
            crash_budget=crash_budget,
        )
        self._schedule = AsrSchedule(
            self._scheduler,
            engine.parse_languages(model.name),
            self_test_s=worker.self_test_s,
            start_budget_s=worker.start_budget_s,
            max_pause_s=engine.costs.max_pause_s if on_cpu else math.inf,
        )
        super().__init__(
            name,
            self._schedule,
            Launch(
                program=lambda: worker_program(CHILD, placement),
                start_message=lambda slot: start_message(placement, size.threads, slot),
                environment=worker_environment(size.threads),
                answers=FROM_CHILD,
            ),
            worker,
            size.workers,
            model=model.name,
        )
        self._failed_starts = 0
        self._news = asyncio.Event()
        self.has_loaded = False
        """Whether a worker has been ready."""

    async def wait_ready(self, timeout_s: float, max_failed_starts: int | None = None) -> None:
        """Wait until one worker is ready.

        Args:
            timeout_s: Longest wait, in seconds.
            max_failed_starts: Number of workers that may die before they are ready; ``None``: any.

        Raises:
            SetupError: No worker was ready in time, or the model cannot be loaded.
        """
        with anyio.move_on_after(timeout_s):
            while not self._supervisor.ready:
                if self._supervisor.start_error is not None:
                    raise SetupError(self._supervisor.start_error)
                if max_failed_starts is not None and self._failed_starts > max_failed_starts:
                    raise SetupError(f"{self._failed_starts} workers died while they started")
                self._news.clear()
                await self._news.wait()
        if not self._supervisor.ready:
            raise SetupError(f"no worker was ready after {timeout_s:.0f} s")

    async def transcribe(self, job: Job) -> Transcript:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        twin = self._scheduler.running_twin(job)
        if twin is not None and (running := self._futures.get(twin)) is not None:
            await asyncio.wait([running])
            if not running.cancelled() and running.exception() is None:
                return running.result()
        if not job.is_admitted or self._is_closed:
            self._refuse_when_down()
        refuse_unsendable(job)
        if job.pcm.size > self._max_samples:  # it would end the worker, and then look like poison
            max_s = self._max_samples / SAMPLE_RATE_HZ
            raise BadRequest(
                f"A job of {job.audio_s:.1f} s is too long; the engine takes {max_s:g} s. "
                "A gateway needs the same AURICLE_ENGINE as its recognisers."
            )
        return await self.submit(job)

    def reserve(self, request: ReservationRequest) -> str:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        self._refuse_when_down()
        name = self._schedule.reserve(request, time.monotonic())
        self._deliver()
        return name

    def adopt(self, request: ReservationRequest) -> str:
        """Keep the reservation of a pool that this one replaces; never rejected."""
        return self._scheduler.admission.keep(request)

    def release(self, reservation: str) -> None:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        self._scheduler.admission.release(reservation)

    @property
    def start_error(self) -> str | None:
        """Why the latest start failed, for the operator; ``None`` once a worker is ready."""
        return self._supervisor.start_error

    @property
    def has_jobs(self) -> bool:
        """Whether callers wait for jobs."""
        return bool(self._futures)

    @property
    def is_ready(self) -> bool:
        """Whether a worker is ready and recently finished a job or self-test."""
        lately = time.monotonic() - 2 * self._worker.self_test_s - self._worker.job_timeout_min_s
        return self._supervisor.has_worked_since(lately)

    def stats(self) -> Stats:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        speed = self._scheduler.speed
        return replace(super().stats(), seconds_per_audio_s=speed.seconds_per_load)

    # SupervisorDelegate.

    def workers_changed(self, ready: int) -> None:
        """Update the number of ready workers, which the scheduler's waits and limits depend on."""
        super().workers_changed(ready)
        self._counts.ready = ready
        self._news.set()

    def became_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Count failed starts anew, and use the warm-up as the first speed measurement."""
        super().became_ready(worker, message, now)
        self._failed_starts = 0
        self.has_loaded = True

    def died(self, worker: str, exit: ProcessExit, reason: str, now: float) -> None:
        """Requeue or quarantine the jobs of a worker that died."""
        self._failed_starts += 1
        self._news.set()
        super().died(worker, exit, reason, now)

    def keep_audio(
        self, worker: str, ticket: Ticket, exit: ProcessExit, reason: str, *, is_poison: bool
    ) -> None:
        """Keep the job that crashed a worker, if the operator wants it."""
        if self._crash_audio is None:
            return
        settings = self._placement.settings
        self._crash_audio.keep_job(
            worker,
            ticket.job,
            exit,
            reason,
            engine=settings.engine,
            model=self._model,
            device=settings.device,
            compute_type=settings.compute_type,
            threads=self._threads,
            attempts=ticket.attempts,
            is_quarantined=is_poison,
        )

    # Internals.

    def _refuse_when_down(self) -> None:
        if self._is_draining:
            raise Draining()
        if not self._supervisor.ready:
            self._scheduler.counters.refused += 1
            retry_after_s = max(1, math.ceil(self._supervisor.start_estimate_s))
            raise NoWorkerReady("The recognisers are starting; try again.", retry_after_s)
