"""SpeakerPool: a VoiceEmbedder on local processes.

A transcript never fails because of its speakers: every failure here is ``SpeakersUnavailable``, and
callers return the transcript without speakers.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from auricle.config.environment import worker_environment
from auricle.config.settings import QueueSettings, SpeakerSettings, WorkerSettings
from auricle.values.errors import RateLimited, SpeakersUnavailable, WorkerError
from auricle.values.transcriber import QueueStats, Stats
from auricle.values.types import EmbedJob, SpeakerEmbeddings
from auricle.workers.delivery import deliver
from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL, MAX_DIMENSIONS, check_file
from auricle.workers.kinds.speakers.schedule import SpeakerSchedule, Ticket, result_of
from auricle.workers.process.launch import confined_program, hard_limit_bytes
from auricle.workers.process.messages import (
    MAX_START_ANSWER_BYTES,
    EmbedStretches,
    Message,
    StartModel,
    StretchesEmbedded,
    ToParent,
    WorkerReady,
)
from auricle.workers.process.poison import CrashBudget, PoisonTracker
from auricle.workers.process.priority import STARVED_FACTOR
from auricle.workers.process.process import ProcessExit
from auricle.workers.process.supervisor import (
    DUMP_MARGIN,
    Assignment,
    CrewOnDemand,
    WorkerSupervisor,
)

CHILD = "auricle.workers.kinds.speakers.child"
OVERDUE_SHARE = 0.3
"""A step is reported as overdue after this share of its budget."""
VECTOR_BYTES = 4 * MAX_DIMENSIONS
THREADS = 1
"""Threads of a worker; two threads need more processor time for the same work."""


class SpeakerPool:
    """Embed speech in worker processes, which the first job starts, or :meth:`prepare`.

    Call :meth:`start` once, from the event loop that uses the pool, and :meth:`aclose` at the end.

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
        self._model = settings.speaker_model or BUNDLED_MODEL
        check_file(self._model)
        self._worker = worker
        self._schedule = SpeakerSchedule()
        self._crash_budget = CrashBudget(queue.max_crashes_per_key, queue.crash_window_s)
        self._poison = PoisonTracker(queue.poison_attempts, queue.poison_ttl_s, self._crash_budget)
        self._crew = WorkerSupervisor(
            "speaker", settings.speaker_workers, worker, worker_environment(THREADS), self
        )
        self._futures: dict[Ticket, asyncio.Future[SpeakerEmbeddings]] = {}
        self._step_ids = itertools.count(1)
        self._running_ids: dict[str, int] = {}
        self._workers = CrewOnDemand("speaker", self._crew, self._ended)
        self._is_closed = False

    async def start(self) -> None:
        """Accept jobs; the first one starts the workers."""
        self._workers.start()

    async def aclose(self) -> None:
        """Fail all jobs and stop the workers."""
        self._close("the server is shutting down")
        await self._workers.aclose()

    def prepare(self) -> None:
        """Start the workers, which takes about a second."""
        self._workers.want()

    async def embed(self, job: EmbedJob) -> SpeakerEmbeddings:
        """Return the embeddings of the job's stretches; cancelling the call cancels the job.

        Stretches without a voice are left out: those below 0.3 s, and digital silence.

        Raises:
            SpeakersUnavailable: See :class:`auricle.values.transcriber.VoiceEmbedder`.
            ValueError: A stretch is longer than 30 s, or there are more than 1000.
        """
        if self._is_closed:
            raise SpeakersUnavailable("the server is shutting down")
        if not self._workers.can_start:
            raise SpeakersUnavailable("speaker workers cannot start")
        now = time.monotonic()
        self._refuse_poison(job, now)
        ticket = self._schedule.submit(job, now)
        if not ticket.stretches:
            return result_of(ticket)
        future: asyncio.Future[SpeakerEmbeddings] = asyncio.get_running_loop().create_future()
        self._futures[ticket] = future
        self.prepare()
        self._crew.wake()
        try:
            return await future
        finally:
            self._poison.clear(_key(ticket))
            if self._futures.pop(ticket, None) is not None:
                self._schedule.cancel(ticket)

    def stats(self) -> Stats:
        """Return a snapshot of the current state; cheap, never waits.

        It is ready while jobs are accepted, even before the first one has started the workers.
        """
        return Stats(
            workers=self._workers.stats(),
            ready=not self._is_closed and self._workers.can_start,
            queue=QueueStats(self._schedule.waiting, self._schedule.running),
            jobs=replace(self._schedule.counters),
            replaced=self._crew.replaced,
            model=self._model.stem,
        )

    # SupervisorDelegate.

    def program(self) -> Sequence[str]:
        """Return the worker program, sandboxed to the model's file."""
        return confined_program(CHILD, self._worker, [str(self._model)])

    def start_message(self, slot: int) -> Message:
        """Return the model that a new worker loads."""
        return StartModel(str(self._model), THREADS, hard_limit_bytes(self._worker))

    def workers_changed(self, ready: int) -> None:
        """Nothing depends on the number of workers."""

    def became_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Nothing depends on the warm-up."""

    def next_assignment(self, worker: str, now: float) -> Assignment | None:
        """Return the next step."""
        step = self._schedule.next_step(worker)
        if step is None:
            return None
        number = self._running_ids[worker] = next(self._step_ids)
        budget_s = STARVED_FACTOR * self._worker.job_timeout_min_s
        message = EmbedStretches(
            number, step.pcm.data.cast("B"), step.stretches, budget_s * DUMP_MARGIN
        )
        max_answer_bytes = MAX_START_ANSWER_BYTES + len(step.stretches) * VECTOR_BYTES
        return Assignment(message, max_answer_bytes, budget_s, OVERDUE_SHARE * budget_s)

    def received(self, worker: str, message: ToParent, now: float) -> None:
        """Validate the embeddings of a step, and deliver those of a complete job."""
        if not isinstance(message, StretchesEmbedded) or message.id != self._running_ids[worker]:
            raise WorkerError("answer does not match the step")
        step = self._schedule.step_of(worker)
        assert step is not None
        vectors = read_vectors(message.vectors, len(step.stretches))
        if any(earlier.shape[1] != vectors.shape[1] for earlier in step.ticket.vectors):
            raise WorkerError("embeddings of another size than before")
        del self._running_ids[worker]
        self._poison.clear(_key(step.ticket))
        if ticket := self._schedule.step_done(worker, vectors):
            deliver(self._futures.pop(ticket, None), result_of(ticket))

    def died(self, worker: str, exit: ProcessExit, reason: str, now: float) -> None:
        """Repeat the step of a worker that died, or fail its job; see the schedule.

        A job fails after two crashes in the same place, or a number of deaths in all. Then its
        audio is rejected for a while.
        """
        self._running_ids.pop(worker, None)
        is_poison = False
        if step := self._schedule.step_of(worker):
            signature = exit.signature and f"{reason} {exit.signature}"
            is_poison = self._poison.record_crash(_key(step.ticket), signature)
            if is_poison:
                self._poison.quarantine(step.ticket.client, step.ticket.job.pcm, now)
        self._schedule.worker_died(worker, is_poison=is_poison)
        if reason == "start" and not self._crew.ready:
            self._schedule.fail_all("speaker workers cannot start")
        self._deliver_failures()

    def poll(self, now: float) -> float:
        """Fail the jobs whose deadline has passed; return the next deadline."""
        ends_at = self._schedule.poll(now)
        self._deliver_failures()
        return ends_at

    # Internals.

    def _refuse_poison(self, job: EmbedJob, now: float) -> None:
        if self._poison.is_poison(job.pcm, now):
            raise SpeakersUnavailable("this audio crashed speaker workers before")
        try:
            self._crash_budget.refuse_exhausted(job.client, now)
        except RateLimited as exc:
            raise SpeakersUnavailable("this client's audio crashed too many workers") from exc

    def _deliver_failures(self) -> None:
        while failure := self._schedule.next_failure():
            ticket, error = failure
            deliver(self._futures.pop(ticket, None), error)

    def _close(self, reason: str) -> None:
        self._is_closed = True
        self._schedule.fail_all(reason)
        self._deliver_failures()

    def _ended(self) -> None:
        self._close("the pool of speakers has ended")


def _key(ticket: Ticket) -> str:
    return str(ticket.number)


def read_vectors(content: bytes, count: int) -> np.ndarray:
    """Return a worker's embeddings, float32, shape [count, dimensions].

    Raises:
        WorkerError: They are not ``count`` vectors of unit length.
    """
    size, rest = divmod(len(content), 4 * count)
    if rest or not 0 < size <= MAX_DIMENSIONS:
        raise WorkerError("embeddings of the wrong size")
    vectors = np.frombuffer(content, "<f4").astype(np.float32).reshape(count, size)
    if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
        raise WorkerError("embeddings are not of unit length")
    return vectors
