"""WorkerPool: a Transcriber on local processes.

The pool connects three independent parts: the scheduler (which job is next), the supervisor (which
processes run) and the callers' futures.
"""

import asyncio
import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import replace

import anyio
import numpy as np
import structlog

from auricle.config.environment import worker_environment
from auricle.config.settings import QueueSettings
from auricle.config.sizing import pool_size
from auricle.engines.placement import Placement
from auricle.values.errors import (
    AudioError,
    BadRequest,
    Draining,
    NoWorkerReady,
    SetupError,
    WorkerError,
)
from auricle.values.transcriber import Stats
from auricle.values.types import (
    SAMPLE_RATE_HZ,
    Job,
    JobId,
    Options,
    ReservationRequest,
    Transcript,
)
from auricle.workers.crash_audio import CrashAudio
from auricle.workers.delivery import checked_answer, deliver
from auricle.workers.kinds.asr.backlog import Batch, Ticket
from auricle.workers.kinds.asr.codec import job_message, read_outcome, refuse_unsendable
from auricle.workers.kinds.asr.launch import start_message, worker_program
from auricle.workers.kinds.asr.scheduler import Scheduler
from auricle.workers.kinds.asr.speed import Speed, Workers
from auricle.workers.process.messages import (
    MAX_JOB_ANSWER_BYTES,
    MAX_START_ANSWER_BYTES,
    JobMessage,
    Message,
    RunBatch,
    ToParent,
    WorkerReady,
)
from auricle.workers.process.poison import CrashBudget
from auricle.workers.process.process import ProcessExit
from auricle.workers.process.supervisor import (
    DUMP_MARGIN,
    ORDERLY,
    Assignment,
    WorkerSupervisor,
)
from auricle.workers.process.usage import SUSPENDED

CHILD = "auricle.workers.kinds.asr.child"

log = structlog.get_logger(__name__)


class WorkerPool:
    """Recognise jobs in worker processes; survive their crashes, hangs and memory growth.

    Call :meth:`start` once, from the event loop that uses the pool, and :meth:`aclose` at the end.

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
        self._settings = placement.settings
        self._model = placement.model
        engine = placement.engine
        self._max_samples = engine.max_audio_samples
        self._self_test = _self_test(engine.parse_languages(placement.model.name))
        size = pool_size(worker, engine.memory.worker_mb(placement.model.size_mb))
        self._threads = size.threads
        on_cpu = placement.settings.device == "cpu"
        self._max_pause_s = engine.costs.max_pause_s if on_cpu else math.inf
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
        self._crew = WorkerSupervisor(
            name, size.workers, worker, worker_environment(size.threads), self
        )
        self._futures: dict[Ticket, asyncio.Future[Transcript]] = {}
        self._batches: dict[str, tuple[int, Batch | None]] = {}
        self._batch_ids = itertools.count(1)
        self._driver: asyncio.Task[None] | None = None
        self._is_draining = self._is_closed = False
        self._failed_starts = 0
        self._is_idle = asyncio.Event()
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Start the workers; return immediately, before they are ready."""
        self._driver = asyncio.create_task(self._crew.run(), name="worker pool")
        self._driver.add_done_callback(self._driver_ended)

    async def wait_ready(self, timeout_s: float, max_failed_starts: int | None = None) -> None:
        """Wait until one worker is ready.

        Args:
            timeout_s: Longest wait, in seconds.
            max_failed_starts: Number of workers that may die before they are ready; ``None``: any.

        Raises:
            SetupError: No worker was ready in time, or the model cannot be loaded.
        """
        with anyio.move_on_after(timeout_s):
            while not self._crew.ready:
                if self._crew.start_error is not None:
                    raise SetupError(self._crew.start_error)
                if max_failed_starts is not None and self._failed_starts > max_failed_starts:
                    raise SetupError(f"{self._failed_starts} workers died while they started")
                self._news.clear()
                await self._news.wait()
        if not self._crew.ready:
            raise SetupError(f"no worker was ready after {timeout_s:.0f} s")

    async def aclose(self, drain_s: float = 0.0) -> None:
        """Reject new jobs, finish accepted ones within ``drain_s``, then stop the workers."""
        self._is_draining = True
        if self._futures:
            self._is_idle.clear()
            with anyio.move_on_after(drain_s):
                await self._is_idle.wait()
        self._is_closed = True
        self._scheduler.drain(lambda: Draining())
        self._deliver_failures()
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.wait([self._driver])
            self._driver = None

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
        ticket = self._scheduler.submit(job, time.monotonic())
        future: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
        self._futures[ticket] = future
        self._deliver_failures()  # jobs that were shed or replaced to make room
        self._crew.wake()
        try:
            return await future
        finally:
            if self._futures.pop(ticket, None) is not None:
                self._scheduler.cancel(ticket)
            if not self._futures:
                self._is_idle.set()

    def reserve(self, request: ReservationRequest) -> str:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        self._refuse_when_down()
        name = self._scheduler.reserve(request, time.monotonic())
        self._deliver_failures()
        return name

    def adopt(self, request: ReservationRequest) -> str:
        """Keep the reservation of a pool that this one replaces; never rejected."""
        return self._scheduler.admission.keep(request)

    def release(self, reservation: str) -> None:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        self._scheduler.admission.release(reservation)

    @property
    def has_jobs(self) -> bool:
        """Whether callers wait for jobs."""
        return bool(self._futures)

    def stats(self) -> Stats:
        """See :class:`auricle.values.transcriber.Transcriber`."""
        lately = time.monotonic() - 2 * self._worker.self_test_s - self._worker.job_timeout_min_s
        return Stats(
            workers=self._crew.stats(),
            ready=self._crew.has_worked_since(lately) and not self._is_draining,
            queue=self._scheduler.stats(),
            jobs=replace(self._scheduler.counters),
            replaced=self._crew.replaced,
            model=self._model.name,
            seconds_per_audio_s=self._scheduler.speed.seconds_per_load,
        )

    # SupervisorDelegate.

    def program(self) -> Sequence[str]:
        """Return the worker program, sandboxed to the model's files."""
        return worker_program(CHILD, self._placement)

    def start_message(self, slot: int) -> Message:
        """Return the engine and model that a new worker loads."""
        return start_message(self._placement, self._threads, slot)

    def workers_changed(self, ready: int) -> None:
        """Update the number of ready workers, which the scheduler's waits and limits depend on."""
        self._counts.ready = ready
        self._news.set()

    def became_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Use the warm-up as the first speed measurement."""
        self._failed_starts = 0
        speed = self._scheduler.speed
        if not speed.is_measured and 0 < message.warm_up_s <= self._worker.start_budget_s:
            speed.observe(message.warm_up_s / speed.costs.job_overhead_s)

    def next_assignment(self, worker: str, now: float) -> Assignment | None:
        """Return the next batch, or a self-test if the worker has been idle for a long time."""
        batch = self._scheduler.next_batch(worker, now)
        if batch is not None:
            jobs = tuple(job_message(ticket.job) for ticket in batch.tickets)
            return self._assign(worker, batch, jobs, batch.budget_s, batch.overdue_s)
        if now - self._crew.idle_since(worker) < self._worker.self_test_s:
            return None
        speed, tickets = self._scheduler.speed, [Ticket(self._self_test, now, math.inf)]
        budget_s, overdue_s = speed.budget_s(tickets), speed.overdue_s(tickets)
        return self._assign(worker, None, (job_message(self._self_test),), budget_s, overdue_s)

    def received(self, worker: str, message: ToParent, now: float) -> None:
        """Validate a batch's results and deliver them to the callers."""
        number, batch = self._batches[worker]
        tickets = batch.tickets if batch else ()
        jobs = [ticket.job.id for ticket in tickets] or [self._self_test.id]
        done = checked_answer(message, number, jobs)
        outcomes = [
            read_outcome(ticket, result, now, done.asr_s)
            for ticket, result in zip(tickets, done.results, strict=False)
        ]
        del self._batches[worker]
        if batch is None:  # a self-test
            return
        self._scheduler.batch_done(worker, now)
        for ticket, outcome in zip(batch.tickets, outcomes, strict=True):
            is_awaited = self._scheduler.settle(ticket, failed=isinstance(outcome, AudioError))
            future = self._futures.pop(ticket, None)
            if is_awaited:
                deliver(future, outcome)

    def died(self, worker: str, exit: ProcessExit, reason: str, now: float) -> None:
        """Requeue or quarantine the jobs of a worker that died."""
        self._failed_starts += 1
        self._news.set()
        _, batch = self._batches.pop(worker, (0, None))
        signature = exit.signature
        if signature is not None and reason == "hung":
            signature = f"hung {signature}"
        convicted = self._scheduler.counters.poison
        is_blamed = reason != SUSPENDED
        self._scheduler.worker_died(worker, signature, now, is_blamed=is_blamed)
        is_alone = batch is not None and len(batch.tickets) == 1
        if batch is not None and is_alone and is_blamed and reason not in ORDERLY:
            convicted = self._scheduler.counters.poison - convicted
            self._keep_audio(worker, batch.tickets[0], exit, reason, is_convicted=convicted > 0)
        self._deliver_failures()

    def poll(self, now: float) -> float:
        """Fail jobs whose deadline has passed."""
        self._scheduler.poll(now)
        self._deliver_failures()
        return self._scheduler.wake_at

    # Internals.

    def _refuse_when_down(self) -> None:
        if self._is_draining:
            raise Draining()
        if not self._crew.ready:
            self._scheduler.counters.refused += 1
            retry_after_s = max(1, math.ceil(self._crew.start_estimate_s))
            raise NoWorkerReady("The recognisers are starting; try again.", retry_after_s)

    def _assign(
        self,
        worker: str,
        batch: Batch | None,
        jobs: tuple[JobMessage, ...],
        budget_s: float,
        overdue_s: float,
    ) -> Assignment:
        number = next(self._batch_ids)
        self._batches[worker] = number, batch
        message = RunBatch(number, jobs, budget_s * DUMP_MARGIN)
        max_answer_bytes = MAX_START_ANSWER_BYTES + len(jobs) * MAX_JOB_ANSWER_BYTES
        return Assignment(
            message, max_answer_bytes, budget_s, overdue_s, max_pause_s=self._max_pause_s
        )

    def _keep_audio(
        self, worker: str, ticket: Ticket, exit: ProcessExit, reason: str, *, is_convicted: bool
    ) -> None:
        if self._crash_audio is not None:
            self._crash_audio.keep_job(
                worker,
                ticket.job,
                exit,
                reason,
                engine=self._settings.engine,
                model=self._model.name,
                device=self._settings.device,
                compute_type=self._settings.compute_type,
                threads=self._threads,
                attempts=ticket.attempts,
                is_convicted=is_convicted,
            )

    def _deliver_failures(self) -> None:
        while failure := self._scheduler.next_failure():
            deliver(self._futures.pop(failure.ticket, None), failure.error)

    def _driver_ended(self, driver: asyncio.Task[None]) -> None:
        """Fail all jobs if a bug ended the driver, so that no caller waits forever."""
        if driver.cancelled() or (error := driver.exception()) is None:
            return
        self._is_draining = self._is_closed = True
        self._scheduler.drain(lambda: WorkerError("the worker pool has ended"))
        self._deliver_failures()
        log.critical("worker_pool_ended", error=type(error).__name__, exc_info=error)


def _self_test(languages: frozenset[str]) -> Job:
    """Return a job for a model of these languages."""
    language = "en" if "en" in languages else min(languages)
    # Faint noise: an engine may answer silence without running its model.
    noise = np.random.default_rng(0).normal(0, 30, SAMPLE_RATE_HZ).astype(np.int16)
    return Job(JobId("self-test"), noise, Options(language=language, beam_size=1))
