"""What is said of GPUs: by reports made by hand, since no machine here has one."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.engines.base import GpuReport
from auricle.engines.whisper.gpu import (
    CUBLAS,
    CUDNN,
    compute_type_for,
    gpu_issue,
    look,
    missing_libraries,
    wanted_libraries,
)

pytestmark = pytest.mark.unit

CPU = {"int8", "int8_float32", "float32"}
GPU = ("float16", "float32", "int8", "int8_float16", "int8_float32")
GOOD = GpuReport(12040, ("NVIDIA L4",), 23_000, 1, ("float16", "int8"))


@pytest.mark.parametrize(
    ("changes", "text", "advice"),
    [
        ({"problem": "looking for GPUs ended with exit code -11"}, "exit code -11", "driver"),
        ({"driver_cuda": 0, "names": (), "count": 0}, "no NVIDIA driver", "--gpus all"),
        ({"driver_cuda": 11080, "count": 0}, "supports CUDA 11.8", "525"),
        ({"names": (), "count": 0}, "shows no GPU", "CUDA_VISIBLE_DEVICES"),
        ({"count": 0}, "can't use NVIDIA L4", "CTranslate2"),
        ({"missing": (CUBLAS,)}, f"{CUBLAS} can't be loaded", "pip install nvidia-cublas-cu12"),
        ({"missing": (CUBLAS, CUDNN)}, f"{CUBLAS} and {CUDNN}", "'nvidia-cudnn-cu12>=9,<10'"),
    ],
)
def test_each_thing_that_is_missing_has_a_name_and_a_remedy(
    changes: dict[str, object], text: str, advice: str
) -> None:
    trouble = gpu_issue(replace(GOOD, **changes))  # type: ignore[arg-type]  # the right ones
    assert trouble is not None
    assert text in trouble.text
    assert advice in trouble.advice


def test_a_gpu_with_all_it_needs_is_no_trouble() -> None:
    assert gpu_issue(GOOD) is None


def test_libraries_that_cant_be_loaded_are_named() -> None:
    def load(name: str) -> None:
        if name == CUDNN:
            raise OSError(f"{name}: cannot open shared object file")

    assert missing_libraries((CUBLAS, CUDNN), load) == (CUDNN,)
    assert missing_libraries((CUBLAS,), load) == ()


def test_cudnn_is_wanted_by_a_ctranslate2_that_names_it(tmp_path: Path) -> None:
    library = tmp_path / "ctranslate2.libs" / "libctranslate2-0a1b.so.4.5.0"
    library.parent.mkdir()
    library.write_bytes(b"\0libcublas.so.12\0")
    assert wanted_libraries(tmp_path) == (CUBLAS,)
    library.write_bytes(b"\0libcublas.so.12\0libcudnn_ops.so.9\0")
    assert wanted_libraries(tmp_path) == (CUBLAS, CUDNN)


@pytest.mark.process
def test_the_look_at_this_machine_gives_a_report() -> None:
    report = look()
    assert report.problem == ""
    if not report.driver_cuda:
        assert report.names == ()
        assert report.count == 0
        assert "no NVIDIA driver" in str(gpu_issue(report))


@pytest.mark.process
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.abort()", "exit code -6"),
        ("print([])", "exit code 0"),
        ("import time; time.sleep(60)", "took more than"),
    ],
    ids=["crash", "nonsense", "hang"],
)
def test_a_look_that_fails_is_a_report_of_that(code: str, said: str) -> None:
    report = look([sys.executable, "-c", code], limit_s=1.0 if "sleep" in code else 60.0)
    assert said in report.problem
    trouble = gpu_issue(report)
    assert trouble is not None
    assert trouble.text == report.problem


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
