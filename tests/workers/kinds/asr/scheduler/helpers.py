"""What the tests of scheduler share."""

import numpy as np

from auricle.config.sections.queue import QueueSettings
from auricle.engines.base import BatchRules, CostModel
from auricle.values.errors import AuricleError
from auricle.values.types import ClientId, Job, JobId, JobKind, Options
from auricle.workers.kinds.asr.scheduler import Scheduler
from auricle.workers.kinds.asr.speed import Speed, Workers

_serial = iter(range(10**9))


def scheduler(
    size: int = 2, batch: int = 4, workers: Workers | None = None, **queue: float
) -> Scheduler:
    workers = workers or Workers(size, ready=size)
    return Scheduler(
        QueueSettings.model_validate(queue),
        batches=BatchRules(batch),
        workers=workers,
        speed=Speed(job_timeout_min_s=10, job_timeout_factor=8, workers=workers, costs=CostModel()),
    )


def job(
    name: str,
    seconds: float = 2.0,
    kind: JobKind = JobKind.FINAL,
    client: str = "anonymous",
    utterance: str = "",
    max_wait_s: float | None = None,
    max_start_s: float | None = None,
    reservation: str | None = None,
    options: Options | None = None,
) -> Job:
    pcm = np.full(max(1, int(16_000 * seconds)), next(_serial) % 30_000, np.int16)
    return Job(
        JobId(name),
        pcm,
        options or Options(),
        kind=kind,
        client=ClientId(client),
        utterance=utterance,
        max_wait_s=max_wait_s,
        max_start_s=max_start_s,
        reservation=reservation,
    )


def run_next(it: Scheduler, worker: str = "w1", now: float = 0.0) -> list[str]:
    """Let a worker take and finish a batch; return the jobs' names."""
    batch = it.next_batch(worker, now)
    if batch is None:
        return []
    done = it.batch_done(worker, now + 0.1)
    return [ticket.job.id for ticket in done.tickets if it.settle(ticket)]


def failures(it: Scheduler) -> list[tuple[str, type[AuricleError]]]:
    found = []
    while failure := it.next_failure():
        found.append((str(failure.ticket.job.id), type(failure.error)))
    return found
