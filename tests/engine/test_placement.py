"""How workers, threads and number types follow from a machine: with numbers, without a GPU."""

from dataclasses import replace
from pathlib import Path

import pytest

from auricle.config.settings import ModelSettings, WorkerSettings
from auricle.config.sizing import memory_per_worker_mb
from auricle.engine.gpu import CUBLAS, GpuReport
from auricle.engine.placement import compute_type_for, on_cpu, on_gpus, resolve_placement
from auricle.errors import SetupError

pytestmark = pytest.mark.unit

BASE_MB, LARGE_MB = 145.0, 3087.0
CPU = {"int8", "int8_float32", "float32"}
GPU = ("float16", "float32", "int8", "int8_float16", "int8_float32")


def gpus(count: int, memory_mb: float, compute_types: tuple[str, ...] = GPU) -> GpuReport:
    return GpuReport(12040, ("NVIDIA L4",) * count, memory_mb, count, compute_types)


@pytest.mark.parametrize(
    ("device", "requested", "supported", "expected"),
    [
        ("cpu", "default", CPU, "int8"),
        ("cpu", "float32", CPU, "float32"),
        ("cpu", "default", {"float32"}, "default"),
        ("cuda", "default", GPU, "float16"),
        ("cuda", "int8_float16", GPU, "int8_float16"),
        ("cuda", "default", {"int8_float32", "float32"}, "int8_float32"),
        ("cuda", "default", set(), "default"),
    ],
)
def test_numbers_are_as_small_as_the_device_likes(
    device: str, requested: str, supported: set[str], expected: str
) -> None:
    assert compute_type_for(device, requested, supported) == expected


def test_a_small_gpu_memory_asks_for_smaller_numbers() -> None:
    assert compute_type_for("cuda", "default", GPU, fits_float16=False) == "int8_float16"
    assert compute_type_for("cuda", "float16", GPU, fits_float16=False) == "float16"


@pytest.mark.parametrize(
    ("count", "memory_mb", "model_mb", "workers", "compute_type"),
    [
        (1, 4_000, BASE_MB, 2, "float16"),
        (1, 0, BASE_MB, 2, "float16"),  # unknown: as if it were enough
        (2, 16_000, BASE_MB, 2, "float16"),
        (4, 16_000, LARGE_MB, 4, "float16"),
        (1, 24_000, LARGE_MB, 2, "float16"),
        (1, 16_000, LARGE_MB, 2, "int8_float16"),
        (1, 12_000, LARGE_MB, 1, "float16"),
        (1, 8_000, LARGE_MB, 1, "int8_float16"),
    ],
)
def test_each_gpu_has_a_worker_and_one_gpu_two_if_they_fit(
    count: int, memory_mb: float, model_mb: float, workers: int, compute_type: str
) -> None:
    worker, model = on_gpus(WorkerSettings(), ModelSettings(), model_mb, gpus(count, memory_mb))
    assert worker.workers == workers
    assert worker.worker_threads == 1
    assert (model.device, model.gpus, model.compute_type) == ("cuda", count, compute_type)


def test_what_was_asked_for_on_a_gpu_is_taken() -> None:
    asked = WorkerSettings(workers=3, worker_threads=4)
    worker, model = on_gpus(
        asked, ModelSettings(gpus=2, compute_type="float32"), BASE_MB, gpus(4, 16_000)
    )
    assert (worker.workers, worker.worker_threads) == (3, 4)
    assert (model.gpus, model.compute_type) == (2, "float32")


def test_there_are_no_more_gpus_than_there_are() -> None:
    _, model = on_gpus(WorkerSettings(), ModelSettings(gpus=8), BASE_MB, gpus(2, 16_000))
    assert model.gpus == 2


def no_look() -> GpuReport:
    pytest.fail("nobody asked for a GPU")


def test_a_cpu_is_taken_without_a_look_at_gpus(tmp_path: Path) -> None:
    settled = resolve_placement(
        WorkerSettings(), ModelSettings(device="cpu"), str(tmp_path), no_look
    )
    assert settled.model.device == "cpu"
    assert settled.worker.workers >= 1
    assert settled.worker.worker_threads >= 1
    assert settled.trouble is None


def test_a_model_that_fills_the_memory_gets_one_worker(tmp_path: Path) -> None:
    with (tmp_path / "model.bin").open("wb") as file:
        file.truncate(10**12)  # a hole: nothing is written
    settled = resolve_placement(WorkerSettings(), ModelSettings(), str(tmp_path), no_look)
    assert settled.worker.workers == 1


def test_workers_of_a_larger_model_may_take_more_memory() -> None:
    base, _ = on_cpu(WorkerSettings(), ModelSettings(), BASE_MB)
    assert (base.worker_soft_mb, base.worker_hard_mb) == (0, 0)  # the crew's own
    large, _ = on_cpu(WorkerSettings(), ModelSettings(), LARGE_MB)
    assert large.worker_soft_mb > memory_per_worker_mb(LARGE_MB)
    assert large.worker_hard_mb > large.worker_soft_mb
    asked, _ = on_cpu(
        WorkerSettings(worker_soft_mb=9, worker_hard_mb=10), ModelSettings(), LARGE_MB
    )
    assert (asked.worker_soft_mb, asked.worker_hard_mb) == (9, 10)


def test_auto_takes_the_gpu_that_can_be_used(tmp_path: Path) -> None:
    auto = ModelSettings(device="auto")
    settled = resolve_placement(WorkerSettings(), auto, str(tmp_path), lambda: gpus(1, 8_000))
    assert settled.model.device == "cuda"
    assert settled.trouble is None


def test_auto_falls_back_to_the_cpu_and_says_why(tmp_path: Path) -> None:
    lacking = replace(gpus(1, 23_000), missing=(CUBLAS,))
    settled = resolve_placement(
        WorkerSettings(), ModelSettings(device="auto"), str(tmp_path), lambda: lacking
    )
    assert settled.model.device == "cpu"
    assert settled.trouble is not None
    assert CUBLAS in settled.trouble.text


def test_a_gpu_that_was_asked_for_and_cant_be_used_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"no NVIDIA driver.*AURICLE_DEVICE=cpu"):
        resolve_placement(WorkerSettings(), ModelSettings(device="cuda"), str(tmp_path), GpuReport)
