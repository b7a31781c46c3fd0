"""Where the workers run, how many there are and in which numbers they compute.

What the settings leave open is settled here, once, before the pool is made: from cores, memory,
the model's size and, unless the device is ``cpu``, from a look at the GPUs. The rules are pure;
those for GPUs were written without one (``docs/decisions/008``).
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from auricle.config import ModelSettings, WorkerSettings, crew_size, memory_per_worker_mb
from auricle.engine.gpu import GpuIssue, GpuReport, gpu_issue, look
from auricle.engine.whisper.model_files import model_mb
from auricle.errors import SetupError

CUDA_PREFERENCE = ("float16", "int8_float16", "int8_float32", "float32")
LARGER_THAN_MB = 200.0
"""Up to Whisper base the crew's own limits on memory fit."""
SOFT_SHARE, HARD_SHARE = 1.5, 3.0
"""A worker is replaced, and killed, above so much of what is counted for it."""
GPU_CONTEXT_MB = 500
"""What CUDA takes for each process, about, whatever the model."""
FLOAT16_SHARE, INT8_SHARE = 3.0, 2.0
"""GPU memory of a worker over its model's float16 file: faster-whisper's README names 4755 MB for
large-v2 (3087 MB) in float16 and 3091 MB in int8, one job at a time; a batch of 8 takes more."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Settings with nothing left open, and what the operator should hear about it."""

    worker: WorkerSettings
    model: ModelSettings
    trouble: GpuIssue | None = None
    """Why ``auto`` doesn't use the GPU."""


def resolve_placement(
    worker: WorkerSettings,
    model: ModelSettings,
    model_path: str,
    look_for_gpus: Callable[[], GpuReport] = look,
) -> Placement:
    """Settle everything for this machine; looks for GPUs unless the device is ``cpu``.

    Raises:
        SetupError: A GPU is asked for and can't be used; the message says what to do.
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
    size = crew_size(worker, model_mb=size_mb)
    settled: dict[str, float] = {"workers": size.workers, "worker_threads": size.threads}
    if size_mb > LARGER_THAN_MB:  # batches of a larger model take more above its start
        each_mb = memory_per_worker_mb(size_mb)
        settled["worker_soft_mb"] = worker.worker_soft_mb or SOFT_SHARE * each_mb
        settled["worker_hard_mb"] = worker.worker_hard_mb or HARD_SHARE * each_mb
    return worker.model_copy(update=settled), model.model_copy(update={"device": "cpu"})


def on_gpus(
    worker: WorkerSettings, model: ModelSettings, size_mb: float, report: GpuReport
) -> tuple[WorkerSettings, ModelSettings]:
    """Return the settings for workers on these GPUs.

    One for each, since they would wait for each other; but two at the least where the memory
    holds both, so that one's death never stops the service.
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
    """Return what one worker takes on a GPU, about."""
    return GPU_CONTEXT_MB + share * size_mb


def compute_type_for(
    device: str, requested: str, supported: Collection[str], fits_float16: bool = True
) -> str:
    """Return the number type to compute in.

    int8 on a CPU; on a GPU float16, or int8_float16 where the memory is small.
    """
    if requested != "default":
        return requested
    if device == "cpu":
        return "int8" if "int8" in supported else "default"
    wanted = CUDA_PREFERENCE if fits_float16 else CUDA_PREFERENCE[1:]
    return next((kind for kind in wanted if kind in supported), "default")
