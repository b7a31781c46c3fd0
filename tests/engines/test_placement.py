"""How workers, threads and number types follow from a machine: with numbers, without a GPU."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.config.capacity import Capacity, save_capacity
from auricle.config.sections.model import ModelSettings
from auricle.config.sections.worker import WorkerSettings
from auricle.engines.base import EngineSpec, GpuReport, GpuSupport, LocalModel, NoModelFiles
from auricle.engines.placement import (
    Placement,
    file_state,
    measured_of,
    on_cpu,
    on_gpus,
    resolve_placement,
    with_capacity,
)
from auricle.engines.whisper.gpu import CUBLAS
from auricle.engines.whisper.spec import SPEC
from auricle.values.errors import SetupError

pytestmark = pytest.mark.unit

BASE_MB, LARGE_MB = 145.0, 3087.0
GPU = ("float16", "float32", "int8", "int8_float16", "int8_float32")


def gpus(count: int, memory_mb: float, compute_types: tuple[str, ...] = GPU) -> GpuReport:
    return GpuReport(12040, ("NVIDIA L4",) * count, memory_mb, count, compute_types)


assert SPEC.gpu is not None
SUPPORT: GpuSupport = SPEC.gpu


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
    worker, model = on_gpus(
        WorkerSettings(), ModelSettings(), SUPPORT, model_mb, gpus(count, memory_mb)
    )
    assert worker.workers == workers
    assert worker.worker_threads == 1
    assert (model.device, model.gpus, model.compute_type) == ("cuda", count, compute_type)


def test_what_was_requested_on_a_gpu_is_used() -> None:
    asked = WorkerSettings(workers=3, worker_threads=4)
    worker, model = on_gpus(
        asked, ModelSettings(gpus=2, compute_type="float32"), SUPPORT, BASE_MB, gpus(4, 16_000)
    )
    assert (worker.workers, worker.worker_threads) == (3, 4)
    assert (model.gpus, model.compute_type) == (2, "float32")


def test_there_are_no_more_gpus_than_there_are() -> None:
    _, model = on_gpus(WorkerSettings(), ModelSettings(gpus=8), SUPPORT, BASE_MB, gpus(2, 16_000))
    assert model.gpus == 2


def no_look() -> GpuReport:
    pytest.fail("no GPU was requested")


def resolved(device: str, report: Callable[[], GpuReport], model_mb: float = BASE_MB) -> Placement:
    engine = replace(SPEC, gpu=replace(SUPPORT, look=report))
    settings = ModelSettings.model_validate({"device": device})
    return resolve_placement(WorkerSettings(), settings, engine, LocalModel("m", "m", model_mb))


def test_a_cpu_is_chosen_without_a_check_for_gpus() -> None:
    settled = resolved("cpu", no_look)
    assert settled.settings.device == "cpu"
    assert settled.worker.workers >= 1
    assert settled.worker.worker_threads >= 1
    assert settled.gpu_issue is None


def test_a_model_that_fills_the_memory_gets_one_worker() -> None:
    assert resolved("cpu", no_look, 10**6).worker.workers == 1


def test_workers_of_a_larger_model_may_take_more_memory() -> None:
    base_mb, large_mb = SPEC.memory.worker_mb(BASE_MB), SPEC.memory.worker_mb(LARGE_MB)
    base, _ = on_cpu(WorkerSettings(), ModelSettings(), base_mb)
    assert (base.worker_soft_mb, base.worker_hard_mb) == (0, 0)  # the crew's own
    large, _ = on_cpu(WorkerSettings(), ModelSettings(), large_mb)
    assert large.worker_soft_mb > large_mb
    assert large.worker_hard_mb > large.worker_soft_mb
    asked, _ = on_cpu(
        WorkerSettings(worker_soft_mb=9, worker_hard_mb=10), ModelSettings(), large_mb
    )
    assert (asked.worker_soft_mb, asked.worker_hard_mb) == (9, 10)


def test_auto_takes_the_gpu_that_can_be_used() -> None:
    settled = resolved("auto", lambda: gpus(1, 8_000))
    assert settled.settings.device == "cuda"
    assert settled.gpu_issue is None


def test_auto_falls_back_to_the_cpu_and_says_why() -> None:
    settled = resolved("auto", lambda: replace(gpus(1, 23_000), missing=(CUBLAS,)))
    assert settled.settings.device == "cpu"
    assert settled.gpu_issue is not None
    assert CUBLAS in settled.gpu_issue.text


def test_a_gpu_that_was_asked_for_and_cant_be_used_is_an_error() -> None:
    with pytest.raises(SetupError, match=r"no NVIDIA driver.*AURICLE_DEVICE=cpu"):
        resolved("cuda", GpuReport)


def test_an_engine_without_gpu_support_runs_on_the_cpu() -> None:
    engine = EngineSpec("ours", models=NoModelFiles("ours"))
    model = LocalModel("ours", "ours")
    auto = resolve_placement(WorkerSettings(), ModelSettings(device="auto"), engine, model)
    assert (auto.settings.device, auto.gpu_issue) == ("cpu", None)
    with pytest.raises(SetupError, match="the engine ours uses no GPU"):
        resolve_placement(WorkerSettings(), ModelSettings(device="cuda"), engine, model)


def test_the_state_of_files_changes_with_their_content_and_their_directory(tmp_path: Path) -> None:
    one, other, link = tmp_path / "one", tmp_path / "other", tmp_path / "link"
    for directory in (one, other):
        directory.mkdir()
        (directory / "model.bin").write_bytes(b"1")
    link.symlink_to(one)
    before = file_state(str(link))
    assert file_state(str(link)) == before
    link.unlink()
    link.symlink_to(other)
    switched = file_state(str(link))
    assert switched != before
    (other / "model.bin").write_bytes(b"22")
    assert file_state(str(link)) not in (before, switched)
    assert file_state("a name, no path") == ("a name, no path",)


def test_a_saved_capacity_applies_to_the_same_machine_model_and_workers(tmp_path: Path) -> None:
    settings = ModelSettings(cache_dir=tmp_path, engine="scripted")
    engine = EngineSpec("scripted", NoModelFiles("default"))
    place = Placement(
        WorkerSettings(workers=2, worker_threads=1), settings, engine, LocalModel("/m", "m")
    )
    assert with_capacity(place, cores=2) == place
    measured = Capacity(
        of=measured_of(place, cores=2),
        live_sessions=27,
        file_speed=40.0,
        yardstick_speed=5.0,
        version="1.0",
        measured_at=1e9,
    )
    save_capacity(tmp_path, measured)
    assert with_capacity(place, cores=2).capacity == measured
    elsewhere = with_capacity(place, cores=4)
    assert elsewhere.capacity is None
    assert elsewhere.other_capacity == "measured with cores 2 instead of 4"
