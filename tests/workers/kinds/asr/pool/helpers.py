"""What the tests of pool share."""

from pathlib import Path

import numpy as np

from auricle.values.types import ClientId, Job, JobId, JobKind, Options
from auricle.workers.kinds.asr.pool import WorkerPool
from tests.support.poll import poll_until

SEED = np.random.default_rng(7)


def job(
    name: str,
    script: str | None = None,
    *,
    seconds: float = 1.0,
    kind: JobKind = JobKind.FINAL,
    utterance: str = "",
    max_wait_s: float | None = None,
    client: str = "anonymous",
    reservation: str | None = None,
) -> Job:
    pcm = SEED.integers(-3000, 3000, int(16_000 * seconds), dtype=np.int16)
    options = Options(initial_prompt=f"scripted:{script}" if script else None)
    return Job(
        JobId(name),
        pcm,
        options,
        kind=kind,
        utterance=utterance,
        max_wait_s=max_wait_s,
        client=ClientId(client),
        reservation=reservation,
    )


def closed_gate(folder: Path) -> Path:
    """Return a file; a job with the script ``hold:FILE`` runs until it is removed."""
    gate = folder / "gate"
    gate.touch()
    return gate


async def all_ready(pool: WorkerPool, count: int = 2) -> None:
    await poll_until(lambda: states(pool).count("ready") == count, "every worker ready")


def states(pool: WorkerPool) -> list[str]:
    return [worker.state for worker in pool.stats().workers]


def has_restarted(pool: WorkerPool, times: int) -> bool:
    return sum(worker.restarts for worker in pool.stats().workers) == times


def pids(pool: WorkerPool) -> list[int]:
    return [worker.pid for worker in pool.stats().workers if worker.pid is not None]
