"""What ``auricle doctor`` looks at: each check gives one line, and what to do where it isn't well.

Nothing is changed, nothing is downloaded. Libraries that could crash are tried out in a process of
their own.
"""

import enum
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from auricle.audio.opus import find_libopus
from auricle.config import (
    MEMORY_PER_WORKER_MB,
    Settings,
    unknown_variables,
    worker_count,
    worker_environment,
)
from auricle.engine.fetch import HUB_NAME, known_models
from auricle.engine.model_files import check_model_directory
from auricle.errors import SetupError
from auricle.machine import available_memory_bytes, usable_cores
from auricle.server.auth import check_exposure
from auricle.server.run import listen

PROBE_LIMIT_S = 60.0
MODEL_DISK_MB = 300
"""The bundled model takes 145 MB once joined; twice that while it is."""
SPOOL_DISK_MB = 2000


class Level(enum.Enum):
    """How well it is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's; ``advice`` says what to do, and is empty where all is well."""

    subject: str
    level: Level
    text: str
    advice: str = ""


Check = Callable[[Settings], Finding]


def check_python(settings: Settings) -> Finding:
    """Python's version; an older one could not have come so far."""
    system = f"{platform.system()} {platform.machine()}"
    text = f"{platform.python_version()} on {system}, {sys.executable}"
    if not sys.platform.startswith("linux"):
        return Finding("Python", Level.WARNING, text, "Auricle is tested on Linux only.")
    return Finding("Python", Level.OK, text)


def check_variables(settings: Settings) -> Finding:
    """Variables that look like settings and are none."""
    unknown = unknown_variables()
    if not unknown:
        return Finding("settings", Level.OK, "all variables are known")
    names = ", ".join(name for name, _ in unknown)
    meant = ", ".join(meant for _, meant in unknown if meant)
    advice = f"Did you mean {meant}?" if meant else "See `auricle settings`."
    return Finding("settings", Level.WARNING, f"{names} changes nothing", advice)


def check_libopus(settings: Settings) -> Finding:
    """The library that decodes Opus packets."""
    try:
        library = find_libopus(settings.decode.libopus)
    except SetupError as exc:
        return Finding("libopus", Level.WRONG, "none that can be used", str(exc))
    return Finding("libopus", Level.OK, f"{library.version}, from {library.origin}")


def check_engine(settings: Settings) -> Finding:
    """Whether the speech engine and the file decoder load at all, tried in a child."""
    code = (
        "import av, ctranslate2, faster_whisper as f;"
        "print(f'faster-whisper {f.__version__}, CTranslate2 {ctranslate2.__version__}, "
        "PyAV {av.__version__}')"
    )
    advice = "Install Auricle's packages again: pip install --force-reinstall auricle"
    done = _probe(code)
    if done is None:
        return Finding("engine", Level.WRONG, f"not loaded after {PROBE_LIMIT_S:.0f} s", advice)
    if done.returncode:
        return Finding("engine", Level.WRONG, _last_line(done), advice)
    return Finding("engine", Level.OK, done.stdout.strip())


def check_model(settings: Settings) -> Finding:
    """Whether the model is here, without fetching it."""
    name = settings.model.model
    path = Path(name).expanduser()
    known = {model.name: model for model in known_models(settings.model.cache_dir)}
    if path.is_dir():
        try:
            check_model_directory(path)
        except SetupError as exc:
            return Finding("model", Level.WRONG, f"{name} can't be used", str(exc))
        return Finding("model", Level.OK, f"the directory {path}")
    if name in known:
        model = known[name]
        text = f"{name} ({model.where}, {model.size_mb} MB)"
        if model.is_here:
            return Finding("model", Level.OK, text)
        advice = "It will be fetched at the first start; that needs the network."
        return Finding("model", Level.WARNING, f"{text} is not here yet", advice)
    if HUB_NAME.fullmatch(name):
        advice = "It will be fetched at the first start, unless that has been done already."
        return Finding("model", Level.WARNING, f"{name}, from the Hugging Face Hub", advice)
    return Finding("model", Level.WRONG, f"there is no {name}", "See `auricle models`.")


def check_processors(settings: Settings) -> Finding:
    """Cores against the workers that will run on them."""
    cores, workers = usable_cores(), worker_count(settings.worker)
    threads = settings.worker.worker_threads
    text = f"{cores} to use; {workers} workers of {threads} thread{'s' * (threads > 1)}"
    if workers == 1:
        advice = "One worker: its death stops the service for a moment. AURICLE_WORKERS=2 doesn't."
        return Finding("cores", Level.WARNING, text, advice)
    if workers * threads > max(2, cores):
        advice = "More threads than cores make every answer later: lower AURICLE_WORKERS."
        return Finding("cores", Level.WARNING, text, advice)
    return Finding("cores", Level.OK, text)


def check_memory(settings: Settings) -> Finding:
    """Free memory against what the workers will want."""
    free_mb = available_memory_bytes() / 1e6
    wanted_mb = worker_count(settings.worker) * MEMORY_PER_WORKER_MB
    text = f"{free_mb:.0f} MB free, {wanted_mb} MB for the workers (of Whisper base)"
    if free_mb < wanted_mb:
        advice = "Close something, or set AURICLE_WORKERS or AURICLE_MODEL to something smaller."
        return Finding("memory", Level.WARNING, text, advice)
    return Finding("memory", Level.OK, text)


def check_address(settings: Settings) -> Finding:
    """Whether the server could listen where it is told to."""
    server = settings.server
    where = f"{server.host} port {server.port}"
    try:
        check_exposure(server)
    except SetupError as exc:
        return Finding("address", Level.WRONG, f"{where} can't be used", str(exc))
    try:
        for found in listen(server):
            found.close()
    except SetupError as exc:  # a server that runs already is the usual reason
        return Finding("address", Level.WARNING, f"{where} can't be used now", str(exc))
    return Finding("address", Level.OK, f"{where} is free")


def check_disk(settings: Settings) -> Finding:
    """Room in the cache for the model, and in the spool folder for uploads."""
    cache = settings.model.cache_dir
    spool = settings.server.spool_dir or Path(tempfile.gettempdir())
    places = (("cache", cache, MODEL_DISK_MB), ("spool", spool, SPOOL_DISK_MB))
    texts = []
    for name, folder, wanted_mb in places:
        existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
        variable = f"AURICLE_{name.upper()}_DIR"
        if not os.access(existing, os.W_OK):
            return Finding("disk", Level.WRONG, f"{folder} can't be written", f"Set {variable}.")
        free_mb = shutil.disk_usage(existing).free / 1e6
        text = f"{free_mb:.0f} MB for the {name} in {folder}"
        if free_mb < wanted_mb:
            return Finding("disk", Level.WARNING, text, f"Make room, or set {variable}.")
        texts.append(text)
    return Finding("disk", Level.OK, ", ".join(texts))


def check_gpu(settings: Settings) -> Finding:
    """Whether CTranslate2 sees a GPU and finds CUDA's libraries, tried in a child."""
    code = (
        "import ctypes, ctranslate2\n"
        "n = ctranslate2.get_cuda_device_count()\n"
        "assert n, 'no GPU is seen; is its driver installed?'\n"
        "for name in ('libcublas.so.12', 'libcudnn_ops.so.9', 'libcudnn_cnn.so.9'):\n"
        "    ctypes.CDLL(name)\n"
        "print(n, 'GPU' if n == 1 else 'GPUs', 'with cuBLAS 12 and cuDNN 9')"
    )
    done = _probe(code)
    if done is None:
        return Finding("GPU", Level.WRONG, f"no answer in {PROBE_LIMIT_S:.0f} s", "Is it stuck?")
    if done.returncode:
        text = _last_line(done)
        advice = "Install the driver, and CUDA's libraries: pip install 'auricle[cuda]'"
        return Finding("GPU", Level.WRONG, text, advice)
    return Finding("GPU", Level.OK, done.stdout.strip())


def _probe(code: str) -> subprocess.CompletedProcess[str] | None:
    """Run code in a Python of its own, set up as a worker's; ``None`` if it doesn't end."""
    try:
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=worker_environment(1),
            timeout=PROBE_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    if not lines:
        return f"a test run ended with {done.returncode}"
    return lines[-1].removeprefix("AssertionError: ")


CHECKS: tuple[Check, ...] = (
    check_python,
    check_variables,
    check_libopus,
    check_engine,
    check_model,
    check_processors,
    check_memory,
    check_address,
    check_disk,
)
"""What is always looked at, in this order; :func:`check_gpu` only where it is asked for."""
