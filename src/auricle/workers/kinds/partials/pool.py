"""PartialPool: recognises the partials of open utterances in dedicated workers.

Finals never wait for a partial: the workers are separate and have a lower priority.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence

import structlog

from auricle.config.environment import worker_environment
from auricle.engines.placement import Placement
from auricle.values.errors import AudioError, Draining, NoWorkerReady, WorkerError
from auricle.values.transcriber import QueueStats, Stats
from auricle.values.types import Job, JobKind, Task, Transcript
from auricle.workers.delivery import checked_answer, deliver
from auricle.workers.kinds.asr.backlog import Ticket
from auricle.workers.kinds.asr.codec import read_outcome, refuse_unsendable
from auricle.workers.kinds.asr.launch import start_message, worker_program
from auricle.workers.kinds.partials.schedule import PartialSchedule, Step, StreamBatch
from auricle.workers.process.messages import (
    MAX_JOB_ANSWER_BYTES,
    MAX_START_ANSWER_BYTES,
    Message,
    RunStreams,
    StreamStep,
    ToParent,
    WorkerReady,
)
from auricle.workers.process.priority import STARVED_FACTOR
from auricle.workers.process.process import ProcessExit
from auricle.workers.process.supervisor import (
    DUMP_MARGIN,
    Assignment,
    WorkerSupervisor,
)

CHILD = "auricle.workers.kinds.partials.child"
OVERDUE_SHARE = 0.3
"""A batch is reported as overdue after this share of its budget."""
STALLED_S = 3.0
"""A batch that takes longer is not waited for: its worker gets no processor time, or hangs."""

log = structlog.get_logger(__name__)


class PartialPool:
    """Recognise partial jobs; a stream of jobs stays in one worker.

    Call :meth:`start` once, from the event loop that uses the pool, and :meth:`aclose` at the end.

    Args:
        placement: The workers, and the engine and model that they load.
    """

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._worker = worker = placement.worker
        self._engine = engine = placement.engine
        self._languages = engine.parse_languages(placement.model.name)
        self._max_samples = engine.max_audio_samples
        rules = engine.batches.within(worker.batch_jobs)
        self._schedule = PartialSchedule(min(rules.max_jobs, rules.max_optional_jobs))
        self._crew = WorkerSupervisor(
            "partial", worker.workers, worker, worker_environment(worker.worker_threads), self
        )
        self._futures: dict[Ticket, asyncio.Future[Transcript]] = {}
        self._batches: dict[str, tuple[int, StreamBatch]] = {}
        self._batch_ids = itertools.count(1)
        self._driver: asyncio.Task[None] | None = None
        self._is_closed = False

    async def start(self) -> None:
        """Start the workers; return immediately, before they are ready."""
        self._driver = asyncio.create_task(self._crew.run(), name="partial pool")
        self._driver.add_done_callback(self._driver_ended)

    async def aclose(self) -> None:
        """Fail all jobs and stop the workers."""
        self._close(Draining())
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.wait([self._driver])
            self._driver = None

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
        return not self._is_closed and self._crew.ready > self._stalled

    @property
    def _stalled(self) -> int:
        since = time.monotonic() - STALLED_S
        return sum(batch.tickets[0].started_at < since for _, batch in self._batches.values())

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
        ticket = self._schedule.submit(job, time.monotonic())
        future: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
        self._futures[ticket] = future
        self._deliver_failures()  # a job that was replaced
        self._crew.wake()
        try:
            return await future
        finally:
            if self._futures.pop(ticket, None) is not None:
                self._schedule.cancel(ticket)

    def stats(self) -> Stats:
        """Return a snapshot of the current state; cheap, never waits."""
        return Stats(
            workers=self._crew.stats(),
            ready=self.is_ready,
            queue=QueueStats(self._schedule.waiting, self._schedule.running),
            jobs=self._schedule.counters,
            replaced=self._crew.replaced,
            model=self._placement.model.name,
        )

    # SupervisorDelegate.

    def program(self) -> Sequence[str]:
        """Return the worker program, sandboxed to the model's files."""
        return worker_program(CHILD, self._placement)

    def start_message(self, slot: int) -> Message:
        """Return the engine and model that a new worker loads."""
        return start_message(self._placement, self._worker.worker_threads, slot)

    def workers_changed(self, ready: int) -> None:
        """Nothing depends on the number of workers."""

    def became_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Nothing depends on the warm-up."""

    def next_assignment(self, worker: str, now: float) -> Assignment | None:
        """Return the next batch."""
        batch = self._schedule.next_batch(worker, now)
        if batch is None:
            return None
        number = next(self._batch_ids)
        self._batches[worker] = number, batch
        budget_s = STARVED_FACTOR * self._worker.job_timeout_min_s
        steps = tuple(map(_message, batch.steps))
        message = RunStreams(number, steps, batch.closed, budget_s * DUMP_MARGIN)
        max_answer_bytes = MAX_START_ANSWER_BYTES + len(steps) * MAX_JOB_ANSWER_BYTES
        return Assignment(message, max_answer_bytes, budget_s, OVERDUE_SHARE * budget_s)

    def received(self, worker: str, message: ToParent, now: float) -> None:
        """Validate a batch's results and deliver them to the callers."""
        number, batch = self._batches[worker]
        done = checked_answer(message, number, [each.job.id for each in batch.tickets])
        outcomes = [
            read_outcome(ticket, result, now, done.asr_s)
            for ticket, result in zip(batch.tickets, done.results, strict=True)
        ]
        del self._batches[worker]
        self._schedule.batch_done(worker)
        for ticket, outcome in zip(batch.tickets, outcomes, strict=True):
            is_awaited = self._schedule.settle(ticket, failed=isinstance(outcome, AudioError))
            future = self._futures.pop(ticket, None)
            if is_awaited:
                deliver(future, outcome)

    def died(self, worker: str, exit: ProcessExit, reason: str, now: float) -> None:
        """Fail the jobs of a worker that died; newer ones open their streams again."""
        self._batches.pop(worker, None)
        self._schedule.worker_died(worker)
        self._deliver_failures()

    def poll(self, now: float) -> float:
        """Partials have no deadline."""
        return float("inf")

    # Internals.

    def _deliver_failures(self) -> None:
        while failure := self._schedule.next_failure():
            ticket, error = failure
            deliver(self._futures.pop(ticket, None), error)

    def _close(self, error: Draining | WorkerError) -> None:
        self._is_closed = True
        self._schedule.drain(error)
        self._deliver_failures()

    def _driver_ended(self, driver: asyncio.Task[None]) -> None:
        """Fail all jobs if a bug ended the driver, so that no caller waits forever."""
        if driver.cancelled() or (error := driver.exception()) is None:
            return
        self._close(WorkerError("the pool of partials has ended"))
        log.critical("partial_pool_ended", error=type(error).__name__, exc_info=error)


def _message(step: Step) -> StreamStep:
    job = step.ticket.job
    return StreamStep(job.id, step.stream, step.opens, step.pcm.data.cast("B"), job.options)
