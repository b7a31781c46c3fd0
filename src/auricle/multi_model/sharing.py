"""Share a machine among several models: workers, threads, memory and GPUs."""

from collections.abc import Sequence
from dataclasses import dataclass

from auricle.config.sections.worker import WorkerSettings
from auricle.config.sizing import MAX_THREADS, MAX_WORKERS, PoolSize
from auricle.engines.base import LocalModel
from auricle.engines.models import ModelTable, ServedModel
from auricle.engines.placement import ModelPlan, resolve_placement
from auricle.system.machine import available_memory_bytes, usable_cores
from auricle.values.errors import SetupError


def plan_models(
    settings: WorkerSettings,
    models: ModelTable,
    *,
    cores: int | None = None,
    memory_mb: float | None = None,
) -> tuple[ModelPlan, ...]:
    """Share the machine among the models of a table; download nothing. Blocks.

    Args:
        settings: Number and limits of workers; a model's own numbers take precedence.
        models: The models.
        cores: CPU cores to use; ``None``: all.
        memory_mb: Memory to use in MB; ``None``: all that is available.

    Raises:
        SetupError: The models need more memory than there is, or the default model is unknown or
            damaged. Problems of other models are reported when they are loaded.
    """
    workers = [model.worker_settings(settings) for model in models]
    if len(models) == 1:  # its share is the machine
        return (ModelPlan(models.default, workers[0], cores=cores),)
    sizes_mb = [_size_mb(model, is_default=model is models.default) for model in models]
    gpus = [
        _gpus_of(model, worker, size_mb, is_default=model is models.default)
        for model, worker, size_mb in zip(models, workers, sizes_mb, strict=True)
    ]
    if sum(count > 0 for count in gpus) > 1:
        for i, count in enumerate(gpus):  # the models share the GPUs: one worker of each on each
            if count and not workers[i].workers:
                workers[i] = workers[i].model_copy(update={"workers": count})
        _refuse_full_gpus(models, workers, sizes_mb, gpus)
    on_cpu_at = [i for i, count in enumerate(gpus) if not count]
    wishes = [
        ModelShare(
            model.name,
            model.engine.memory.worker_mb(sizes_mb[i]),
            workers[i].workers,
            workers[i].worker_threads,
            on_start=model.is_loaded_at_start,
        )
        for i, model in enumerate(models)
        if i in on_cpu_at
    ]
    cores = usable_cores() if cores is None else cores
    memory_mb = available_memory_bytes() / 1e6 if memory_mb is None else memory_mb
    plans = [ModelPlan(model, worker) for model, worker in zip(models, workers, strict=True)]
    for i, wish, size in zip(
        on_cpu_at, wishes, model_shares(wishes, cores, memory_mb), strict=True
    ):
        update = {"workers": size.workers, "worker_threads": size.threads}
        plans[i] = ModelPlan(
            plans[i].model,
            workers[i].model_copy(update=update),
            size.workers * wish.worker_mb,
        )
    return tuple(plans)


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


def _size_mb(model: ServedModel, *, is_default: bool) -> float:
    try:
        return model.engine.models.status(model.settings).size_mb
    except SetupError:
        if is_default:
            raise
        return 0.0


def _gpus_of(
    model: ServedModel, worker: WorkerSettings, size_mb: float, *, is_default: bool
) -> int:
    """Return the number of GPUs that a model uses; 0 on the CPU."""
    if model.settings.device == "cpu":
        return 0
    probe = LocalModel("", model.name, size_mb)
    try:
        settings = resolve_placement(worker, model.settings, model.engine, probe).settings
    except SetupError:
        if is_default:
            raise
        return 0  # its load reports the problem
    return max(1, settings.gpus) if settings.device != "cpu" else 0


def _refuse_full_gpus(
    models: ModelTable,
    workers: Sequence[WorkerSettings],
    sizes_mb: Sequence[float],
    gpus: Sequence[int],
) -> None:
    """Check that the workers of all models fit each GPU, with the smallest number type.

    Raises:
        SetupError: They do not.
    """
    need_mb, memory_mb = {}, float("inf")
    for model, worker, size_mb, count in zip(models, workers, sizes_mb, gpus, strict=True):
        if count and (support := model.engine.gpu) is not None:
            on_each = -(-worker.workers // count)
            need_mb[model.name] = on_each * support.compact_memory.worker_mb(size_mb)
            memory_mb = min(memory_mb, support.look().memory_mb or memory_mb)
    if sum(need_mb.values()) > memory_mb:
        parts = ", ".join(f"{name} {each:.0f} MB" for name, each in need_mb.items())
        raise SetupError(
            f"The models need {sum(need_mb.values()):.0f} MB on each GPU, which has "
            f"{memory_mb:.0f} MB: {parts}. Set device=cpu or fewer workers= for some of "
            "AURICLE_MODELS."
        )
