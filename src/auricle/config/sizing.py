"""The number of workers and of their threads, from settings, cores and memory."""

from dataclasses import dataclass

from auricle.config.settings import WorkerSettings
from auricle.machine import available_memory_bytes, usable_cores

BASE_MODEL_MB = 145
MAX_WORKERS = 16
"""Larger machines give workers more threads instead, since each worker loads the model."""
MAX_THREADS = 8


@dataclass(frozen=True, slots=True)
class PoolSize:
    """Number of workers in a pool, and of threads in each."""

    workers: int
    threads: int


def memory_per_worker_mb(model_mb: float = BASE_MODEL_MB) -> float:
    """Return the peak memory of a worker on a CPU with int8, in MB.

    Whisper base, a file of 145 MB, uses 250 MB once ready, 350 MB while it is loaded, 460 MB for
    8 jobs of 5 s, and 730 MB (briefly 790) for 8 of 25 s (measured 2026-11-25).
    """
    return 300 + 3 * model_mb


def pool_size(
    settings: WorkerSettings,
    *,
    cores: int | None = None,
    memory_mb: float | None = None,
    model_mb: float = BASE_MODEL_MB,
) -> PoolSize:
    """Return the number of workers and threads: the settings', else what cores and memory allow.

    One-thread workers have the highest throughput (``docs/benchmarks/threads.json``), so each core
    gets one. There are at least two, so that the death of one never stops the service, unless
    memory is too small for two. If memory limits the workers to fewer than the cores, their threads
    share the cores.
    """
    cores = usable_cores() if cores is None else cores
    memory_mb = available_memory_bytes() / 1e6 if memory_mb is None else memory_mb
    each_mb = memory_per_worker_mb(model_mb)
    least = 2 if memory_mb >= each_mb else 1  # two idle workers need no more
    fitting = min(cores // max(1, settings.worker_threads), int(memory_mb / each_mb), MAX_WORKERS)
    workers = settings.workers or max(least, fitting)
    threads = settings.worker_threads or min(MAX_THREADS, max(1, cores // workers))
    return PoolSize(workers, threads)
