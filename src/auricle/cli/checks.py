"""What ``auricle doctor`` looks at: each check gives one line, and what to do where it isn't well.

Nothing is changed, nothing is downloaded. Libraries that could crash are tried out in a process of
their own.
"""

import enum
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2

from auricle.audio.opus import find_libopus
from auricle.config import (
    BASE_MODEL_MB,
    Settings,
    memory_per_worker_mb,
    unknown_variables,
    worker_environment,
)
from auricle.engine.gpu import gpu_issue, look
from auricle.engine.placement import on_cpu
from auricle.engine.whisper.fetch import HUB_NAME, known_models
from auricle.engine.whisper.model_files import check_model_directory, model_mb
from auricle.errors import SetupError
from auricle.machine import available_memory_bytes, usable_cores
from auricle.server.access.keyring import check_exposure, is_exposed
from auricle.server.main import listen

PROBE_LIMIT_S = 60.0
ANSWER_LIMIT_S = 3.0
MODEL_DISK_MB = 300
"""The bundled model takes 145 MB once joined; twice that while it is."""
SPOOL_DISK_MB = 2000
SANDBOX_ADVICE = (
    "Run the server as a user that can read nothing else. All of it needs Linux 6.2 or newer with "
    "Landlock, on x86-64 or ARM64, and a container that permits it."
)


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
    advice = "Reinstall Auricle and its dependencies from its repository."
    done = _run("-c", code)
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
    if settings.model.device == "cuda":
        return Finding("cores", Level.OK, f"{usable_cores()} to use; the workers are for the GPU")
    worker, _ = on_cpu(settings.worker, settings.model, _model_mb(settings))
    cores, workers, threads = usable_cores(), worker.workers, worker.worker_threads
    text = f"{cores} to use; {_number(workers, 'worker')} of {_number(threads, 'thread')}"
    if workers == 1:
        advice = "One worker: its death stops the service for a moment. AURICLE_WORKERS=2 doesn't."
        return Finding("cores", Level.WARNING, text, advice)
    if workers * threads > max(2, cores):
        advice = "More threads than cores make every answer later: lower AURICLE_WORKERS."
        return Finding("cores", Level.WARNING, text, advice)
    return Finding("cores", Level.OK, text)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"


def check_memory(settings: Settings) -> Finding:
    """Free memory against what the workers will want."""
    size_mb = _model_mb(settings)
    worker, _ = on_cpu(settings.worker, settings.model, size_mb)
    free_mb = available_memory_bytes() / 1e6
    if settings.model.device == "cuda":
        return Finding("memory", Level.OK, f"{free_mb:.0f} MB free; the workers are for the GPU")
    wanted_mb = worker.workers * memory_per_worker_mb(size_mb)
    text = f"{free_mb:.0f} MB free, {wanted_mb:.0f} MB for workers of a model of {size_mb:.0f} MB"
    if free_mb < wanted_mb:
        advice = "Close something, or set AURICLE_WORKERS or AURICLE_MODEL to something smaller."
        return Finding("memory", Level.WARNING, text, advice)
    return Finding("memory", Level.OK, text)


def _model_mb(settings: Settings) -> float:
    """Return the size of the model's file, known or read; that of Whisper base if it is neither."""
    name = settings.model.model
    path = Path(name).expanduser()
    if path.is_dir():
        return model_mb(str(path))
    known = {model.name: model.size_mb for model in known_models(settings.model.cache_dir)}
    return known.get(name, BASE_MODEL_MB)


def check_sandbox(settings: Settings) -> Finding:
    """What workers are kept from here, tried by a process of its own."""
    if settings.worker.sandbox == "off":
        advice = "Unset AURICLE_SANDBOX, unless workers don't start without it."
        return Finding("sandbox", Level.WARNING, "turned off: workers may do all", advice)
    done = _run("-m", "auricle.workers.sandbox.confinement")
    try:
        lacking: list[str] = json.loads(done.stdout if done else "")
    except ValueError:
        return Finding(
            "sandbox", Level.WRONG, "can't be tried out", done and _last_line(done) or ""
        )
    if lacking:
        text = f"workers aren't kept from {', nor from '.join(lacking)}"
        return Finding("sandbox", Level.WARNING, text, SANDBOX_ADVICE)
    text = "workers have no network, no programs, no signals, and no files but the model's"
    return Finding("sandbox", Level.OK, text)


def check_address(settings: Settings) -> Finding:
    """Whether the server can listen at its address, or an Auricle server does so already."""
    server = settings.server
    where = f"{server.host} port {server.port}"
    try:
        check_exposure(server)
    except SetupError as exc:
        return Finding("address", Level.WRONG, f"{where} can't be used", str(exc))
    text = f"{where} is free"
    try:
        for found in listen(server):
            found.close()
    except SetupError as exc:
        running = _running_version(settings)
        if running is None:
            return Finding("address", Level.WARNING, f"{where} can't be used now", str(exc))
        text = f"{where}: Auricle {running} is running there"
    if is_exposed(server):
        advice = "Whoever reaches it can use it: set AURICLE_API_KEYS or AURICLE_KEYS_FILE."
        return Finding("address", Level.WARNING, f"{text}, and open without keys", advice)
    return Finding("address", Level.OK, text)


def _running_version(settings: Settings) -> str | None:
    """Return the version of the Auricle server at the configured address; ``None`` if none is."""
    server = settings.server
    host = "127.0.0.1" if server.host in ("", "0.0.0.0", "::") else server.host
    scheme = "http" if server.tls_cert is None else "https"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{server.port}/health"
    try:
        # No secret is sent, so a certificate of one's own need not be verified.
        answer = httpx2.get(url, timeout=ANSWER_LIMIT_S, verify=False, trust_env=False).json()
        return str(answer["version"]) if "decode_workers" in answer else None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, TypeError, KeyError):
        return None


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
    report = look()
    trouble = gpu_issue(report)
    if trouble is not None:
        level = Level.WARNING if settings.model.device == "auto" else Level.WRONG
        return Finding("GPU", level, trouble.text, trouble.advice)
    text = f"{report.count} x {report.names[0]}, {report.memory_mb:.0f} MB each at least"
    return Finding("GPU", Level.OK, text)


def _run(*arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run a Python of its own, set up as a worker's; ``None`` if it doesn't end."""
    try:
        return subprocess.run(
            [sys.executable, *arguments],
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
    check_sandbox,
    check_address,
    check_disk,
)
"""What is always looked at, in this order; :func:`check_gpu` only where it is asked for."""
