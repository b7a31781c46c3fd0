"""The number of workers and of their threads, from settings, cores and memory."""

from dataclasses import dataclass

from auricle.config.sections.worker import WorkerSettings
from auricle.system.machine import available_memory_bytes, usable_cores

MAX_WORKERS = 16
"""Larger machines give workers more threads instead, since each worker loads the model."""
MAX_THREADS = 8


@dataclass(frozen=True, slots=True)
class PoolSize:
    """Number of workers in a pool, and of threads in each."""

    workers: int
    threads: int


def pool_size(
    settings: WorkerSettings,
    worker_mb: float,
    *,
    cores: int | None = None,
    memory_mb: float | None = None,
) -> PoolSize:
    """Return the number of workers and threads: the settings', else what cores and memory allow.

    One-thread workers have the highest throughput (``docs/benchmarks/threads.json``), so each core
    gets one. There are at least two, so that the death of one never stops the service, unless
    memory is too small for two. If memory limits the workers to fewer than the cores, their threads
    share the cores.

    Args:
        settings: Number of workers and threads; 0 leaves it open.
        worker_mb: Peak memory of a worker in MB.
        cores: CPU cores to use; ``None``: all that this process may use.
        memory_mb: Memory to use in MB; ``None``: all that is available.
    """
    cores = usable_cores() if cores is None else cores
    memory_mb = available_memory_bytes() / 1e6 if memory_mb is None else memory_mb
    min_workers = 2 if memory_mb >= worker_mb else 1  # two idle workers need no more
    fitting = min(cores // max(1, settings.worker_threads), int(memory_mb / worker_mb), MAX_WORKERS)
    workers = settings.workers or max(min_workers, fitting)
    threads = settings.worker_threads or min(MAX_THREADS, max(1, cores // workers))
    return PoolSize(workers, threads)
