"""The number of workers and of their threads, from settings, cores and memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from auricle.config.sections.worker import WorkerSettings
from auricle.system.machine import available_memory_bytes, usable_cores
from auricle.values.errors import SetupError

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


@dataclass(frozen=True, slots=True)
class ModelShare:
    """What one of several models asks for.

    Attributes:
        name: The model's name, for messages.
        worker_mb: Peak memory of one of its workers in MB.
        workers: Number of workers; 0: its share of the machine.
        threads: Threads per worker; 0: its share of the cores divided by its workers.
        on_start: Whether it is loaded at the start, and not on demand.
    """

    name: str
    worker_mb: float
    workers: int = 0
    threads: int = 0
    on_start: bool = True

    @property
    def min_mb(self) -> float:
        """Memory of its workers in MB; of one, if their number is open."""
        return max(1, self.workers) * self.worker_mb


def model_shares(
    models: Sequence[ModelShare], cores: int, memory_mb: float
) -> tuple[PoolSize, ...]:
    """Return the number of workers and threads of each of several models.

    The models of the start share the cores equally. Each has one worker per core of its share, and
    at least one; the first model has at least two, if the memory allows it. A model on demand gets
    the same share of cores, and what memory the others leave. The pools may have more threads than
    cores together: models are seldom all busy at once.

    Args:
        models: The models, the default first.
        cores: CPU cores to use.
        memory_mb: Memory to use in MB.

    Raises:
        SetupError: The models of the start, with the largest on demand, need more memory.
    """
    at_start = [model for model in models if model.on_start]
    on_demand = [model for model in models if not model.on_start]
    start_mb = sum(model.min_mb for model in at_start)
    need_mb = start_mb + max((model.min_mb for model in on_demand), default=0.0)
    if need_mb > memory_mb:
        raise SetupError(_too_large(models, need_mb, memory_mb))
    share, rest = divmod(cores, max(1, len(at_start)))
    wanted = [max(1, share + (i < rest)) for i in range(len(at_start))]
    if wanted:
        wanted[0] = max(2, wanted[0])
    targets = [
        model.workers or min(MAX_WORKERS, -(-each // max(1, model.threads)))
        for model, each in zip(at_start, wanted, strict=True)
    ]
    spare_mb, workers = memory_mb - need_mb, [max(1, model.workers) for model in at_start]
    for _ in range(MAX_WORKERS):  # one more for each model in turn
        for i, model in enumerate(at_start):
            if workers[i] < targets[i] and model.worker_mb <= spare_mb:
                workers[i] += 1
                spare_mb -= model.worker_mb
    counts = dict(zip((model.name for model in at_start), workers, strict=True))
    used_mb = sum(counts[model.name] * model.worker_mb for model in at_start)
    for model in on_demand:
        fitting = int((memory_mb - used_mb) // max(1.0, model.worker_mb))
        counts[model.name] = model.workers or max(1, min(share, fitting, MAX_WORKERS))
    return tuple(_with_threads(model, counts[model.name], max(1, share)) for model in models)


def _with_threads(model: ModelShare, workers: int, share: int) -> PoolSize:
    return PoolSize(workers, model.threads or min(MAX_THREADS, max(1, share // workers)))


def _too_large(models: Sequence[ModelShare], need_mb: float, memory_mb: float) -> str:
    parts = ", ".join(
        f"{model.name} {model.min_mb:.0f} MB{'' if model.on_start else ' on demand'}"
        for model in models
    )
    return (
        f"The models need {need_mb:.0f} MB of memory, and {memory_mb:.0f} MB are available: "
        f"{parts}. Remove one from AURICLE_MODELS, or load some with load=demand: of those only "
        "the largest counts."
    )
