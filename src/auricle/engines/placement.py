"""Choose the workers' engine, model, device, number and compute type.

Options that the settings leave open are resolved here once, before the pool is made: from the
engine's spec, the cores, the memory, the model's size and, unless the device is ``cpu``, the GPUs.
The rules are pure functions; those for GPUs were written without a GPU (``docs/decisions/008``).
"""

from dataclasses import dataclass, replace
from pathlib import Path

from auricle.config.capacity import Capacity, Measured, find_capacity, read_capacities
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.config.settings import Settings
from auricle.config.sizing import pool_size
from auricle.engines.base import EngineSpec, GpuIssue, GpuReport, GpuSupport, LocalModel
from auricle.engines.models import ServedModel, find_spec
from auricle.system.machine import processor_name, usable_cores
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


def file_state(path: str) -> tuple[object, ...]:
    """Return what changes with the files of a model: their directory, names, sizes and times."""
    directory = Path(path)
    if not directory.is_dir():
        return (path,)
    found = ((file.name, file.stat()) for file in sorted(directory.iterdir()) if file.is_file())
    files = ((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)
    return (str(directory.resolve()), *files)


def prepare(settings: Settings, *, in_log: bool = False, cores: int | None = None) -> Placement:
    """Find the engine and its model, and resolve all open settings for this machine. Blocks.

    For a command that loads one model.

    Args:
        settings: All settings.
        in_log: Report a download in the log instead of showing its progress on stderr.
        cores: CPU cores to use; ``None``: all.

    Raises:
        SetupError: The engine, the model or the GPU is not available; the message says what to do.
    """
    engine = find_spec(settings.model)
    model = engine.models.find(settings.model, in_log=in_log)
    found = resolve_placement(settings.worker, settings.model, engine, model, cores)
    return with_capacity(found, cores)


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
