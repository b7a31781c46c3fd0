"""Runs jobs of the ledger: leases them, renews the leases, and stores their ends.

A job whose lease was lost is stopped: another gateway works on it, or it was cancelled. When the
runner stops, its jobs are queued again. While the database does not answer, or is damaged, running
jobs continue; their results are stored once it answers, and refused if another gateway took over
the job. A job whose end can't be stored because of a bug keeps its lease until it expires, so that
the loss counts.
"""

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from typing import TypeVar

import anyio
import structlog
from anyio import CapacityLimiter, to_thread
from anyio.abc import TaskGroup

from auricle.ledger.audio.store import AudioStore
from auricle.ledger.databases.database import REFUSALS, TransactionStep, no_step
from auricle.ledger.jobs.job import Job, JobState, Outcome
from auricle.ledger.jobs.lease import RENEW_S, claim_of
from auricle.ledger.jobs.store import Ledger
from auricle.values.errors import (
    AuricleError,
    Draining,
    LeaseLost,
    LedgerFailed,
    LedgerUnavailable,
    ModelUnavailable,
)
from auricle.values.types import ClientId

T = TypeVar("T")

POLL_S = 2.0
"""Longest wait for a hint that there is work."""
RETRY_S = 1.0
POSTPONED_RETRY_S = 30.0
"""Time until a job that can't be done for the moment is tried again, by any gateway."""
FAILED_RETRY_S = 30.0
"""Interval of trying a damaged database again."""
RELEASE_S = 5.0
"""Longest time to queue a job again when the runner stops; after it, the lease has to expire."""

MAX_THREADS = 8
"""Maximum threads of a runner; others are left for requests while the database is slow.

Audio is deleted in other threads: its store may be slow while leases have to be renewed.
"""

_log = structlog.get_logger("auricle.ledger")


@dataclass(slots=True)
class RunningJob:
    """A job while its work runs.

    Attributes:
        job: The job as it was leased.
        chunks: Finished chunks of earlier attempts by their keys.
        progress: Fraction of the audio, from 0 to 1; stored with each renewal.
        text: Text so far; stored with each renewal.
        step: Stores what belongs to the outcome, in the transaction that ends the job.
        also_renewed: Stores what belongs to the progress, in the transaction of each renewal.
        postponed_s: Time until the job, which can't be done for the moment, is tried again.
        is_lost: Whether another gateway has taken over the job, or it was deleted.
    """

    job: Job
    chunks: dict[str, bytes]
    _ledger: Ledger
    _now: Callable[[], float]
    _threads: CapacityLimiter
    progress: float = 0.0
    text: str = ""
    postponed_s: float | None = None
    step: TransactionStep = no_step
    also_renewed: TransactionStep = no_step
    is_lost: bool = False
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def store_chunk(self, chunk_key: str, payload: bytes) -> None:
        """Store a finished chunk, so that another attempt need not repeat it.

        A chunk that the database refuses for the moment is not stored: only work would be lost.

        Raises:
            LeaseLost: Another gateway works on the job, or it was cancelled.
        """
        claim = claim_of(self.job)
        try:
            await to_thread.run_sync(
                lambda: self._ledger.add_chunk(claim, chunk_key, payload, self._now()),
                limiter=self._threads,
            )
        except REFUSALS as error:
            _log.warning("chunk_not_stored", number=self.job.number, code=error.code)

    def renew(self) -> None:
        """Renew the lease; blocks.

        Raises:
            LeaseLost: Another gateway works on the job, or it was cancelled.
            LedgerUnavailable: The database does not answer.
        """
        claim = claim_of(self.job)
        self._ledger.renew(claim, self._now(), self.progress, self.text, self.also_renewed)


Work = Callable[[RunningJob], Awaitable[Outcome]]
"""Does a job and returns how it ended.

Raises only ``LeaseLost``, and for the moment ``LedgerUnavailable`` if the audio can't be read, or
``Draining`` if what does the work shuts down, or ``ModelUnavailable`` if the job's model is not
loaded.
"""


class JobRunner:
    """Runs jobs, several at a time, and one more if all of them have the same owner.

    Args:
        ledger: The jobs.
        audio: Their audio, which is deleted when they end.
        work: Does one job.
        max_running: Maximum number of jobs at a time, without the one of another owner.
        is_ready: Returns whether jobs can be worked on; none is leased otherwise. A server that
            dies again and again while its workers start must not count as killed by its jobs.
        now: Returns Unix time in seconds.
        renew_s: Interval of renewals.
        note_lost: Called for each lease that was lost.
        note_end: Called for each job that ended here.
    """

    def __init__(
        self,
        ledger: Ledger,
        audio: AudioStore,
        work: Work,
        *,
        max_running: int,
        is_ready: Callable[[], bool] = lambda: True,
        now: Callable[[], float] = time.time,
        renew_s: float = RENEW_S,
        note_lost: Callable[[], None] = lambda: None,
        note_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._ledger = ledger
        self._audio = audio
        self._work = work
        self._is_ready = is_ready
        self._now = now
        self._renew_s = renew_s
        self._note_lost = note_lost
        self._note_end = note_end
        self.max_running = max_running
        self._threads = CapacityLimiter(MAX_THREADS)
        self._audio_threads = CapacityLimiter(max_running)
        self._slots = anyio.Semaphore(max_running)
        self._reserve = anyio.Semaphore(1)
        self._running: dict[int, RunningJob] = {}
        self._is_draining = False

    def __len__(self) -> int:
        return len(self._running)

    async def run(self) -> None:
        """Run jobs until cancelled; those that are not finished are queued again."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._fill, self._reserve, group)
            await self._fill(self._slots, group)

    async def _fill(self, slots: anyio.Semaphore, group: TaskGroup) -> None:
        while True:
            await slots.acquire()
            job = await self._next(is_reserve=slots is self._reserve)
            running = RunningJob(
                job, {}, self._ledger, self._now, self._threads, job.progress, job.text
            )
            self._running[job.number] = running
            group.start_soon(self._run, running, slots)

    def drain(self) -> None:
        """Lease no further jobs; those that run here continue."""
        self._is_draining = True

    def current(self, job: Job) -> Job:
        """Return a job with its latest progress, which is stored less often, if it runs here."""
        running = self._running.get(job.number)
        if running is None or job.state is not JobState.RUNNING:
            return job
        return replace(job, progress=running.progress, text=running.text)

    def stop(self, number: int) -> None:
        """Stop the work on a job that was cancelled or deleted, if it runs here."""
        if (running := self._running.get(number)) is not None:
            running.scope.cancel()

    async def _next(self, is_reserve: bool) -> Job:
        """Return the next job; for the reserve, of another owner than the one with all slots."""
        while True:
            if self._is_draining:
                await anyio.sleep_forever()
            try:
                full_owners = self._full_owners() if is_reserve else ()
                if self._is_ready() and (full_owners or not is_reserve):
                    job = await to_thread.run_sync(self._lease, full_owners, limiter=self._threads)
                    if job is not None:
                        return job
                if is_reserve:  # hints are for a free slot
                    await anyio.sleep(POLL_S)
                    continue
                await to_thread.run_sync(
                    self._ledger.wait_for_work,
                    POLL_S,
                    abandon_on_cancel=True,
                    limiter=self._threads,
                )
            except REFUSALS as error:
                _log.warning("jobs_not_leased", code=error.code)
                await anyio.sleep(_retry_s(error))
            except Exception as error:  # the server and its live sessions must not end
                _log.error("jobs_not_leased", error=type(error).__name__)
                await anyio.sleep(FAILED_RETRY_S)

    def _full_owners(self) -> tuple[ClientId, ...]:
        """Return the owner of all running jobs if no slot is free."""
        owners = {running.job.spec.owner for running in self._running.values()}
        is_full = len(self._running) >= self.max_running
        return tuple(owners) if is_full and len(owners) == 1 else ()

    def _lease(self, full_owners: Collection[ClientId]) -> Job | None:
        return self._ledger.lease(self._now(), tuple(self._running), full_owners)

    async def _run(self, running: RunningJob, slots: anyio.Semaphore) -> None:
        number = running.job.number
        try:
            try:
                outcome = await self._outcome(running)
                if outcome is not None:
                    await self._finish(running, outcome)
                elif running.postponed_s is not None:
                    await self._release(running, running.postponed_s)
            except LeaseLost:
                self._lose(running)
            except Exception as error:
                _log.error("job_abandoned", number=number, error=type(error).__name__)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(RELEASE_S, shield=True):
                await self._release(running)
            raise
        finally:
            del self._running[number]
            slots.release()

    async def _outcome(self, running: RunningJob) -> Outcome | None:
        """Return how the work ended; ``None`` if it was stopped."""
        outcome: Outcome | None = None
        with running.scope:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep_lease, running)
                running.chunks = await self._finished_chunks(running.job.number)
                try:
                    outcome = await self._work(running)
                except LeaseLost:
                    self._lose(running)
                except (LedgerUnavailable, Draining, ModelUnavailable) as error:
                    _log.warning("job_postponed", number=running.job.number, code=error.code)
                    is_loading = isinstance(error, ModelUnavailable)
                    running.postponed_s = error.retry_after_s if is_loading else POSTPONED_RETRY_S
                group.cancel_scope.cancel()
        return None if running.scope.cancelled_caught else outcome

    def _lose(self, running: RunningJob) -> None:
        """Stop the work on a job that another gateway has taken over, or that was deleted."""
        _log.warning("lease_lost", number=running.job.number, job_id=running.job.spec.job_id)
        self._note_lost()
        running.is_lost = True
        running.scope.cancel()

    async def _finished_chunks(self, number: int) -> dict[str, bytes]:
        return await self._until_answered(
            "chunks_not_read", number, lambda: self._ledger.chunks(number)
        )

    async def _keep_lease(self, running: RunningJob) -> None:
        while True:
            await anyio.sleep(self._renew_s)
            try:
                await to_thread.run_sync(running.renew, limiter=self._threads)
            except LeaseLost:
                self._lose(running)
            except REFUSALS as error:
                _log.warning("lease_not_renewed", number=running.job.number, code=error.code)

    async def _finish(self, running: RunningJob, outcome: Outcome) -> None:
        claim = claim_of(running.job)
        await self._until_answered(
            "job_not_stored",
            claim.number,
            lambda: self._ledger.finish(claim, outcome, self._now(), running.step),
        )
        self._note_end()
        await to_thread.run_sync(
            self.delete_audio, running.job.spec.audio, limiter=self._audio_threads
        )

    async def _until_answered(self, event: str, number: int, call: Callable[[], T]) -> T:
        """Call the database in a thread until it answers; each refusal is logged as ``event``."""
        while True:
            try:
                return await to_thread.run_sync(call, limiter=self._threads)
            except REFUSALS as error:
                _log.warning(event, number=number, code=error.code)
                await anyio.sleep(_retry_s(error))

    def delete_audio(self, name: str) -> None:
        """Delete audio that no job needs any more; blocks.

        If the database does not answer, the audio stays, and a sweep deletes it later.
        """
        try:
            if not self._ledger.needed_audio([name]):
                self._audio.delete(name)
        except (*REFUSALS, OSError):
            _log.warning("audio_not_deleted")

    async def _release(self, running: RunningJob, delay_s: float = 0.0) -> None:
        try:
            await to_thread.run_sync(
                lambda: self._ledger.release(claim_of(running.job), self._now(), delay_s),
                abandon_on_cancel=True,
                limiter=self._threads,
            )
        except REFUSALS as error:
            _log.warning("job_not_released", number=running.job.number, code=error.code)


def _retry_s(error: AuricleError) -> float:
    return FAILED_RETRY_S if isinstance(error, LedgerFailed) else RETRY_S
