"""Report which GPUs there are, whether CTranslate2 can use them, and with which number types.

A driver or CUDA library that does not fit can crash the process that loads it. A separate program,
``python -m auricle.engines.whisper.gpu``, therefore loads them and prints one line of JSON.
Importing this module loads neither them nor CTranslate2. Not yet run on a GPU: the tests use
hand-written reports.
"""

import ctypes
import mmap
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import msgspec

from auricle.engines.base import GpuIssue, GpuReport, GpuSupport, MemoryEstimate

PROGRAM = (sys.executable, "-m", "auricle.engines.whisper.gpu")
LOOK_LIMIT_S = 60.0
DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
CUBLAS = "cublas64_12.dll" if sys.platform == "win32" else "libcublas.so.12"
CUDNN = "cudnn64_9.dll" if sys.platform == "win32" else "libcudnn.so.9"
"""Needed by older versions of CTranslate2 only: 4.8 has a built-in convolution."""
PACKAGES = {CUBLAS: "nvidia-cublas-cu12", CUDNN: "'nvidia-cudnn-cu12>=9,<10'"}
MIN_DRIVER_CUDA = 12000
"""As ``cuDriverGetVersion`` returns it, 1000 * major + 10 * minor. CTranslate2 4 needs CUDA 12."""

CUDA_PREFERENCE = ("float16", "int8_float16", "int8_float32", "float32")
CUDA_CONTEXT_MB = 500
"""Approximate memory that CUDA takes for each process, with any model."""
FLOAT16_SHARE, INT8_SHARE = 3.0, 2.0
"""GPU memory of a worker relative to its model's float16 file: faster-whisper's README gives 4755
MB for large-v2 (3087 MB) in float16 and 3091 MB in int8, one job at a time; a batch of 8 needs
more."""


def gpu_issue(report: GpuReport) -> GpuIssue | None:
    """Return the first problem to solve; ``None`` if the GPUs can be used."""
    if report.problem:
        return GpuIssue(
            report.problem, f"Reinstall NVIDIA's driver, and run: pip install {PACKAGES[CUBLAS]}"
        )
    if not report.driver_cuda:
        return GpuIssue(
            f"there is no NVIDIA driver ({DRIVER} can't be loaded)",
            "Install the driver; in a container, pass the GPU through: docker run --gpus all.",
        )
    if report.driver_cuda < MIN_DRIVER_CUDA:
        version = f"{report.driver_cuda // 1000}.{report.driver_cuda % 1000 // 10}"
        return GpuIssue(
            f"the driver supports CUDA {version}, and CTranslate2 needs 12",
            "Update NVIDIA's driver to 525 or newer.",
        )
    if not report.names:
        return GpuIssue(
            "the driver shows no GPU",
            "Check what nvidia-smi lists, and whether CUDA_VISIBLE_DEVICES hides the GPU.",
        )
    if not report.count:
        return GpuIssue(
            f"CTranslate2 can't use {report.names[0]}",
            "It may be too old, or this CTranslate2 was built without CUDA: see `pip show "
            "ctranslate2`.",
        )
    if report.missing:
        packages = " ".join(PACKAGES[name] for name in report.missing)
        return GpuIssue(
            f"{' and '.join(report.missing)} can't be loaded",
            f"Run: pip install {packages} (Linux), or put it on the loader's search path.",
        )
    return None


def look(command: Sequence[str] = PROGRAM, limit_s: float = LOOK_LIMIT_S) -> GpuReport:
    """Run the program in the same environment as a worker, and return its report."""
    from auricle.config.environment import worker_environment  # workers do not load the settings

    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=worker_environment(1),
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return GpuReport(problem=f"looking for GPUs took more than {limit_s:.0f} s")
    try:
        return msgspec.json.decode(done.stdout, type=GpuReport)
    except msgspec.DecodeError:
        return GpuReport(problem=f"looking for GPUs ended with exit code {done.returncode}")


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
    preferred = CUDA_PREFERENCE if fits_float16 else CUDA_PREFERENCE[1:]
    return next((kind for kind in preferred if kind in supported), "default")


GPU_SUPPORT = GpuSupport(
    look=look,
    issue=gpu_issue,
    memory=MemoryEstimate(CUDA_CONTEXT_MB, FLOAT16_SHARE),
    compact_memory=MemoryEstimate(CUDA_CONTEXT_MB, INT8_SHARE),
    compute_type=partial(compute_type_for, "cuda"),
)


def _report() -> GpuReport:
    """Collect the report; runs only in the separate program."""
    driver_cuda, names, memory_mb = _ask_driver()
    import ctranslate2

    count = ctranslate2.get_cuda_device_count()
    return GpuReport(
        driver_cuda,
        names,
        memory_mb,
        count,
        tuple(sorted(ctranslate2.get_supported_compute_types("cuda"))) if count else (),
        missing_libraries(wanted_libraries(Path(ctranslate2.__file__).parents[1])),
    )


def _ask_driver() -> tuple[int, tuple[str, ...], float]:
    """Return the driver's CUDA version, the GPUs' names, and the smallest one's memory in MB."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return 0, (), 0.0
    number = ctypes.c_int(0)
    driver.cuDriverGetVersion(ctypes.byref(number))
    version = number.value
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(number)) != 0:
        return version, (), 0.0
    names, sizes_mb = [], []
    for index in range(number.value):
        device, size, name = ctypes.c_int(0), ctypes.c_size_t(0), ctypes.create_string_buffer(100)
        driver.cuDeviceGet(ctypes.byref(device), index)
        driver.cuDeviceGetName(name, len(name), device)
        driver.cuDeviceTotalMem_v2(ctypes.byref(size), device)
        names.append(name.value.decode(errors="replace"))
        sizes_mb.append(size.value / 1e6)
    return version, tuple(names), min(sizes_mb, default=0.0)


def wanted_libraries(site_packages: Path) -> tuple[str, ...]:
    """Return the CUDA libraries that the installed CTranslate2 loads on first use.

    Whether cuDNN is one of them is read from CTranslate2's library file.
    """
    wanted = [CUBLAS]
    for file in site_packages.glob("ctranslate2*/*ctranslate2*[.0-9]"):
        if file.is_file() and _mentions(file, b"cudnn"):
            wanted.append(CUDNN)
            break
    return tuple(wanted)


def _mentions(file: Path, word: bytes) -> bool:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(word) >= 0


def missing_libraries(
    names: Sequence[str], load: Callable[[str], object] = ctypes.CDLL
) -> tuple[str, ...]:
    """Return the libraries that cannot be loaded."""
    missing = []
    for name in names:
        try:
            load(name)
        except OSError:
            missing.append(name)
    return tuple(missing)


if __name__ == "__main__":
    print(msgspec.json.encode(_report()).decode())
