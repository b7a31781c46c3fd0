"""Choose the workers' engine, model, device, number and compute type.

Options that the settings leave open are resolved here once, before the pool is made: from the
engine's spec, the cores, the memory, the model's size and, unless the device is ``cpu``, the GPUs.
The rules are pure functions; those for GPUs were written without a GPU (``docs/decisions/008``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auricle.config.capacity import Capacity, Measured, find_capacity, read_capacities
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.config.sizing import ModelShare, model_shares, pool_size
from auricle.engines.base import EngineSpec, GpuIssue, GpuReport, GpuSupport, LocalModel
from auricle.engines.models import ModelTable, ServedModel, chosen_model, find_spec
from auricle.system.machine import available_memory_bytes, processor_name, usable_cores
from auricle.values.errors import SetupError

DEFAULT_LIMITS_MB = 900.0
"""Up to this estimate the worker's default memory limits fit."""
SOFT_SHARE, HARD_SHARE = 1.5, 3.0
"""Memory above which a worker is replaced, and killed, relative to its estimate."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What a pool of workers runs: settings without open options.

    Attributes:
        worker: Number, budgets and limits of the workers.
        settings: Engine and device.
        engine: The engine's spec.
        model: The model that the workers load.
        gpu_issue: Why ``auto`` does not use the GPU.
        capacity: What was measured with exactly this; ``None``: nothing.
        other_capacity: Why other measurements of this model do not apply; empty if there are none.
    """

    worker: WorkerSettings
    settings: ModelSettings
    engine: EngineSpec
    model: LocalModel
    gpu_issue: GpuIssue | None = None
    capacity: Capacity | None = None
    other_capacity: str = ""

    @property
    def memory_mb(self) -> float:
        """Memory of all workers in MB; 0 on a GPU."""
        if self.settings.device != "cpu":
            return 0.0
        return self.worker.workers * self.engine.memory.worker_mb(self.model.size_mb)


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """One model of a table with its share of the machine.

    Attributes:
        model: The model.
        worker: Number, budgets and limits of its workers.
        memory_mb: Memory of all its workers in MB; 0 on a GPU.
        cores: CPU cores to use if the number of workers is open; ``None``: all.
    """

    model: ServedModel
    worker: WorkerSettings
    memory_mb: float = 0.0
    cores: int | None = None

    def place(self, *, in_log: bool = True) -> Placement:
        """Find the model, download it if necessary, and resolve all open settings. Blocks.

        Raises:
            SetupError: The model or the GPU is not available; the message says what to do.
        """
        settings = self.model.settings
        engine = find_spec(settings)
        found = engine.models.find(settings, in_log=in_log)
        placement = resolve_placement(self.worker, settings, engine, found, self.cores)
        return with_capacity(placement, self.cores)


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


def file_state(path: str) -> tuple[object, ...]:
    """Return what changes with the files of a model: their directory, names, sizes and times."""
    directory = Path(path)
    if not directory.is_dir():
        return (path,)
    found = ((file.name, file.stat()) for file in sorted(directory.iterdir()) if file.is_file())
    files = ((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)
    return (str(directory.resolve()), *files)


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


def prepare(settings: Settings, *, in_log: bool = False, cores: int | None = None) -> Placement:
    """Find the engine and its model, and resolve all open settings for this machine. Blocks.

    For a command that loads one model; see :func:`~auricle.engines.models.chosen_model`.

    Args:
        settings: All settings.
        in_log: Report a download in the log instead of showing its progress on stderr.
        cores: CPU cores to use; ``None``: all.

    Raises:
        SetupError: The engine, the model or the GPU is not available; the message says what to do.
    """
    chosen = chosen_model(settings.model)
    engine = find_spec(chosen)
    model = engine.models.find(chosen, in_log=in_log)
    return with_capacity(resolve_placement(settings.worker, chosen, engine, model, cores), cores)


def measured_of(placement: Placement, cores: int | None = None) -> Measured:
    """Return what the capacity of a placement depends on.

    Args:
        placement: The placement.
        cores: CPU cores to use; ``None``: all.
    """
    return Measured(
        processor=processor_name(),
        cores=usable_cores() if cores is None else cores,
        engine=placement.engine.name,
        model=placement.model.name,
        revision=placement.model.revision,
        device=placement.settings.device,
        compute_type=placement.settings.compute_type,
        workers=placement.worker.workers,
        worker_threads=placement.worker.worker_threads,
    )


def with_capacity(placement: Placement, cores: int | None = None) -> Placement:
    """Return the placement with what ``auricle bench --save`` measured of it. Blocks."""
    saved = read_capacities(placement.settings.cache_dir)
    found, why_not = find_capacity(saved, measured_of(placement, cores))
    return replace(placement, capacity=found, other_capacity=why_not)


def resolve_placement(
    worker: WorkerSettings,
    settings: ModelSettings,
    engine: EngineSpec,
    model: LocalModel,
    cores: int | None = None,
) -> Placement:
    """Resolve all open settings for this machine; look for GPUs unless the device is ``cpu``.

    Raises:
        SetupError: The device is ``cuda`` and no GPU can be used; the message says what to do.
    """
    issue = None
    if settings.device != "cpu" and engine.gpu is not None:
        report = engine.gpu.look()
        issue = engine.gpu.issue(report)
        if issue is None:
            resolved = on_gpus(worker, settings, engine.gpu, model.size_mb, report)
            return Placement(*resolved, engine, model)
    if settings.device == "cuda":
        reason = f"the engine {engine.name} uses no GPU."
        if issue is not None:
            reason = f"{issue.text}. {issue.advice}"
        raise SetupError(f"AURICLE_DEVICE is cuda, but {reason} Or set AURICLE_DEVICE=cpu.")
    resolved = on_cpu(worker, settings, engine.memory.worker_mb(model.size_mb), cores)
    return Placement(*resolved, engine, model, issue)


def on_cpu(
    worker: WorkerSettings, settings: ModelSettings, worker_mb: float, cores: int | None = None
) -> tuple[WorkerSettings, ModelSettings]:
    """Return the settings for workers on this machine's cores.

    Args:
        worker: Number and limits of the workers.
        settings: Engine and device.
        worker_mb: Memory of a worker in MB.
        cores: CPU cores to use; ``None``: all.
    """
    size = pool_size(worker, worker_mb, cores=cores)
    update: dict[str, float] = {"workers": size.workers, "worker_threads": size.threads}
    if worker_mb > DEFAULT_LIMITS_MB:  # batches of a larger model need more memory beyond its start
        update["worker_soft_mb"] = worker.worker_soft_mb or SOFT_SHARE * worker_mb
        update["worker_hard_mb"] = worker.worker_hard_mb or HARD_SHARE * worker_mb
    return worker.model_copy(update=update), settings.model_copy(update={"device": "cpu"})


def on_gpus(
    worker: WorkerSettings,
    settings: ModelSettings,
    support: GpuSupport,
    model_mb: float,
    report: GpuReport,
) -> tuple[WorkerSettings, ModelSettings]:
    """Return the settings for workers on these GPUs.

    One worker for each GPU, since two would wait for each other. At least two where the memory
    holds both, so that a crash of one never stops the service.
    """
    memory_mb = report.memory_mb or float("inf")
    gpus = min(settings.gpus or report.count, report.count)
    holds_two = memory_mb >= 2 * support.compact_memory.worker_mb(model_mb)
    workers = worker.workers or max(gpus, 2 if holds_two else 1)
    on_each = -(-workers // gpus)
    fits = memory_mb >= on_each * support.memory.worker_mb(model_mb)
    compute_type = support.compute_type(settings.compute_type, report.compute_types, fits)
    return (
        worker.model_copy(
            update={"workers": workers, "worker_threads": worker.worker_threads or 1}
        ),
        settings.model_copy(update={"device": "cuda", "gpus": gpus, "compute_type": compute_type}),
    )
