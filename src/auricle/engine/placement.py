"""Choose the workers' device, number and compute type.

Options that the settings leave open are resolved here once, before the pool is made: from the
cores, the memory, the model's size and, unless the device is ``cpu``, the GPUs. The rules are pure
functions; those for GPUs were written without a GPU (``docs/decisions/008``).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from auricle.config.settings import ModelSettings, WorkerSettings
from auricle.config.sizing import memory_per_worker_mb, pool_size
from auricle.engine.gpu import GpuIssue, GpuReport, gpu_issue, look
from auricle.engine.whisper.model_files import model_mb
from auricle.errors import SetupError

CUDA_PREFERENCE = ("float16", "int8_float16", "int8_float32", "float32")
LARGER_THAN_MB = 200.0
"""Up to Whisper base the worker's default memory limits fit."""
SOFT_SHARE, HARD_SHARE = 1.5, 3.0
"""Memory above which a worker is replaced, and killed, relative to its estimate."""
GPU_CONTEXT_MB = 500
"""Approximate memory that CUDA takes for each process, with any model."""
FLOAT16_SHARE, INT8_SHARE = 3.0, 2.0
"""GPU memory of a worker relative to its model's float16 file: faster-whisper's README gives 4755
MB for large-v2 (3087 MB) in float16 and 3091 MB in int8, one job at a time; a batch of 8 needs
more."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Settings without open options, and what to report to the operator."""

    worker: WorkerSettings
    model: ModelSettings
    trouble: GpuIssue | None = None
    """Why ``auto`` does not use the GPU."""


def resolve_placement(
    worker: WorkerSettings,
    model: ModelSettings,
    model_path: str,
    look_for_gpus: Callable[[], GpuReport] = look,
) -> Placement:
    """Resolve all open settings for this machine; look for GPUs unless the device is ``cpu``.

    Raises:
        SetupError: The device is ``cuda`` and no GPU can be used; the message says what to do.
    """
    size_mb = model_mb(model_path)
    report = None if model.device == "cpu" else look_for_gpus()
    trouble = gpu_issue(report) if report is not None else None
    if trouble is not None and model.device == "cuda":
        raise SetupError(
            f"AURICLE_DEVICE is cuda, but {trouble.text}. {trouble.advice} "
            "Or set AURICLE_DEVICE=cpu."
        )
    if report is None or trouble is not None:
        return Placement(*on_cpu(worker, model, size_mb), trouble)
    return Placement(*on_gpus(worker, model, size_mb, report))


def on_cpu(
    worker: WorkerSettings, model: ModelSettings, size_mb: float
) -> tuple[WorkerSettings, ModelSettings]:
    """Return the settings for workers on this machine's cores."""
    size = pool_size(worker, model_mb=size_mb)
    settled: dict[str, float] = {"workers": size.workers, "worker_threads": size.threads}
    if size_mb > LARGER_THAN_MB:  # batches of a larger model need more memory beyond its start
        each_mb = memory_per_worker_mb(size_mb)
        settled["worker_soft_mb"] = worker.worker_soft_mb or SOFT_SHARE * each_mb
        settled["worker_hard_mb"] = worker.worker_hard_mb or HARD_SHARE * each_mb
    return worker.model_copy(update=settled), model.model_copy(update={"device": "cpu"})


def on_gpus(
    worker: WorkerSettings, model: ModelSettings, size_mb: float, report: GpuReport
) -> tuple[WorkerSettings, ModelSettings]:
    """Return the settings for workers on these GPUs.

    One worker for each GPU, since two would wait for each other. At least two where the memory
    holds both, so that a crash of one never stops the service.
    """
    gpus = min(model.gpus or report.count, report.count)
    holds_two = not report.memory_mb or report.memory_mb >= 2 * gpu_memory_mb(INT8_SHARE, size_mb)
    workers = worker.workers or max(gpus, 2 if holds_two else 1)
    on_each = -(-workers // gpus)
    fits = not report.memory_mb or report.memory_mb >= on_each * gpu_memory_mb(
        FLOAT16_SHARE, size_mb
    )
    compute_type = compute_type_for("cuda", model.compute_type, report.compute_types, fits)
    return (
        worker.model_copy(
            update={"workers": workers, "worker_threads": worker.worker_threads or 1}
        ),
        model.model_copy(update={"device": "cuda", "gpus": gpus, "compute_type": compute_type}),
    )


def gpu_memory_mb(share: float, size_mb: float) -> float:
    """Return one worker's approximate memory on a GPU, in MB."""
    return GPU_CONTEXT_MB + share * size_mb


def compute_type_for(
    device: str, requested: str, supported: Collection[str], fits_float16: bool = True
) -> str:
    """Return the compute type.

    int8 on a CPU; on a GPU float16, or int8_float16 where the memory is small.
    """
    if requested != "default":
        return requested
    if device == "cpu":
        return "int8" if "int8" in supported else "default"
    wanted = CUDA_PREFERENCE if fits_float16 else CUDA_PREFERENCE[1:]
    return next((kind for kind in wanted if kind in supported), "default")
