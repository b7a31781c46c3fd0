"""Batches of the scheduler as messages to workers, and self-tests. No I/O, no clock."""

import math

import numpy as np

from auricle.values.errors import AudioError, Draining, WorkerError
from auricle.values.transcriber import QueueStats
from auricle.values.types import SAMPLE_RATE_HZ, Job, JobId, Options, ReservationRequest, Transcript
from auricle.workers.kinds.asr.backlog import Batch, Ticket
from auricle.workers.kinds.asr.codec import check_jobs, job_message, read_outcomes
from auricle.workers.kinds.asr.messages import MAX_JOB_ANSWER_BYTES, BatchDone, RunBatch
from auricle.workers.kinds.asr.scheduler import Scheduler
from auricle.workers.process.assignment import Assignment, Death
from auricle.workers.schedule import Down, Schedule
from auricle.workers.wire.messages import MAX_START_ANSWER_BYTES, WorkerReady


class AsrSchedule(Schedule[Job, Transcript]):
    """The jobs of a pool of recognisers.

    Args:
        scheduler: Decides which jobs run next.
        languages: Languages of the model.
        self_test_s: Time after which an idle worker gets a self-test.
        start_budget_s: Longest plausible warm-up.
        max_pause_s: Time without CPU time after which a worker is killed.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        languages: frozenset[str],
        *,
        self_test_s: float,
        start_budget_s: float,
        max_pause_s: float,
    ) -> None:
        super().__init__()
        self.scheduler = scheduler
        self.counters = scheduler.counters
        self._self_test = _self_test(languages)
        self._self_test_s = self_test_s
        self._start_budget_s = start_budget_s
        self._max_pause_s = max_pause_s
        self._batches: dict[str, Batch | None] = {}
        """What each worker runs; ``None``: a self-test."""
        self._worked_at: dict[str, float] = {}

    def reserve(self, request: ReservationRequest, now: float) -> str:
        """See :meth:`.Scheduler.reserve`."""
        name = self.scheduler.reserve(request, now)
        self._collect_failures()
        return name

    def queue(self) -> QueueStats:
        """Return the jobs that wait and run."""
        return self.scheduler.stats()

    def submit(self, job: Job, now: float) -> Ticket:
        """See :meth:`.Scheduler.submit`."""
        ticket = self.scheduler.submit(job, now)
        self._collect_failures()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Cancel a job: remove it if it waits, ignore its result if it runs."""
        self.scheduler.cancel(ticket)

    def next_work(self, worker: str, now: float) -> Assignment | None:
        """Return the next batch, or a self-test if the worker has been idle for a long time."""
        batch = self.scheduler.next_batch(worker, now)
        if batch is not None:
            return self._assign(worker, batch, batch)
        if now - self._worked_at.get(worker, now) < self._self_test_s:
            return None
        speed, tickets = self.scheduler.speed, (Ticket(self._self_test, now, math.inf),)
        test = Batch(tickets, speed.budget_s(tickets), speed.overdue_s(tickets))
        return self._assign(worker, None, test)

    def done(self, worker: str, result: BatchDone, now: float) -> None:
        """Validate a batch's results, and record them."""
        batch = self._batches[worker]
        if batch is None:
            check_jobs(result, [self._self_test.id])
        else:
            outcomes = read_outcomes(batch.tickets, result, now)
            self.scheduler.batch_done(worker, now)
            for ticket, outcome in zip(batch.tickets, outcomes, strict=True):
                if self.scheduler.settle(ticket, failed=isinstance(outcome, AudioError)):
                    self.outcomes.append((ticket, outcome))
        del self._batches[worker]
        self._worked_at[worker] = now

    def suspect(self, worker: str) -> Ticket | None:
        """Return the job that is alone on a worker."""
        batch = self._batches.get(worker)
        return batch.tickets[0] if batch is not None and len(batch.tickets) == 1 else None

    def worker_died(self, worker: str, death: Death, now: float) -> None:
        """Requeue or quarantine the jobs of a worker that died."""
        self._batches.pop(worker, None)
        self._worked_at.pop(worker, None)
        self.scheduler.worker_died(worker, death.signature, now, is_blamed=death.is_blamed)
        self._collect_failures()

    def worker_ready(self, worker: str, message: WorkerReady, now: float) -> None:
        """Use the warm-up as the first speed measurement."""
        self._worked_at[worker] = now
        speed = self.scheduler.speed
        if not speed.is_measured and 0 < message.warm_up_s <= self._start_budget_s:
            speed.observe(message.warm_up_s / speed.costs.job_overhead_s)

    def fail_all(self, down: Down) -> None:
        """Fail all jobs."""
        is_bug = down is Down.ENDED
        self.scheduler.drain(
            lambda: WorkerError("the worker pool has ended") if is_bug else Draining()
        )
        self._collect_failures()

    def poll(self, now: float) -> float:
        """Fail jobs whose deadline has passed; return the next deadline."""
        self.scheduler.poll(now)
        self._collect_failures()
        return self.scheduler.wake_at

    # Internals.

    def _assign(self, worker: str, runs: Batch | None, batch: Batch) -> Assignment:
        self._batches[worker] = runs
        jobs = tuple(job_message(ticket.job) for ticket in batch.tickets)
        return Assignment(
            RunBatch(jobs),
            MAX_START_ANSWER_BYTES + len(jobs) * MAX_JOB_ANSWER_BYTES,
            batch.budget_s,
            batch.overdue_s,
            max_pause_s=self._max_pause_s,
        )

    def _collect_failures(self) -> None:
        while failure := self.scheduler.next_failure():
            self.outcomes.append((failure.ticket, failure.error))


def _self_test(languages: frozenset[str]) -> Job:
    """Return a job for a model of these languages."""
    language = "en" if "en" in languages else min(languages)
    # Faint noise: an engine may answer silence without running its model.
    noise = np.random.default_rng(0).normal(0, 30, SAMPLE_RATE_HZ).astype(np.int16)
    return Job(JobId("self-test"), noise, Options(language=language, beam_size=1))
