"""The checks of ``auricle doctor``; each returns one line, with advice if it finds a problem.

Checks change and download nothing. Libraries that may crash are loaded in a child process.
"""

import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx2

from auricle.apis.registry import find_apis
from auricle.audio.opus import find_libopus
from auricle.cli.support.finding import LIMIT_S, Finding, Level
from auricle.config.environment import unknown_variables, worker_environment
from auricle.config.section import variable
from auricle.config.settings import Settings, spool_directory
from auricle.engines.base import EngineSpec, MemoryEstimate
from auricle.engines.placement import on_cpu
from auricle.engines.registry import find_engine
from auricle.ledger.location import AUDIO_DIRECTORY, audio_at
from auricle.server.access.exposure import check_exposure, is_exposed, listen
from auricle.system.machine import available_memory_bytes, usable_cores
from auricle.values.errors import LedgerUnavailable, SetupError
from auricle.workers.local_models import find_local_models

ANSWER_LIMIT_S = 3.0
MODEL_DISK_MB = 300
"""The assembled bundled model needs 145 MB, and twice that during assembly."""
SPOOL_DISK_MB = 2000
SANDBOX_ADVICE = (
    "Run the server as a user without access to other files. The full sandbox requires Linux 6.2 "
    "or newer with Landlock, on x86-64 or ARM64, and a container that permits it."
)


Check = Callable[..., Finding]
"""Called with the settings; those of ``PROBES`` also accept ``limit_s``."""


def check_python(settings: Settings) -> Finding:
    """Check the operating system; an unsupported Python can't run this module."""
    system = f"{platform.system()} {platform.machine()}"
    text = f"{platform.python_version()} on {system}, {sys.executable}"
    if not sys.platform.startswith("linux"):
        return Finding("Python", Level.WARNING, text, "Auricle is tested on Linux only.")
    return Finding("Python", Level.OK, text)


def check_variables(settings: Settings) -> Finding:
    """Check for ``AURICLE_*`` variables that are not settings."""
    unknown = unknown_variables()
    if not unknown:
        return Finding("settings", Level.OK, "no unknown variables")
    names = ", ".join(name for name, _ in unknown)
    suggestions = ", ".join(suggestion for _, suggestion in unknown if suggestion)
    advice = f"Did you mean {suggestions}?" if suggestions else "See `auricle settings`."
    return Finding("settings", Level.WARNING, f"no such setting: {names}", advice)


def check_libopus(settings: Settings) -> Finding:
    """Check the library that decodes Opus packets."""
    try:
        library = find_libopus(settings.decode.libopus)
    except SetupError as exc:
        return Finding("libopus", Level.WRONG, "no usable library", str(exc))
    return Finding("libopus", Level.OK, f"{library.version}, from {library.origin}")


def check_engine(settings: Settings, limit_s: float = LIMIT_S) -> Finding:
    """Check in a child process that the speech engine and the file decoder can be loaded.

    Args:
        settings: All settings.
        limit_s: Longest wait for the child process, in seconds.
    """
    try:
        engine = find_engine(settings.model.engine)
    except SetupError as exc:
        return Finding("engine", Level.WRONG, "not found", str(exc))
    with contextlib.suppress(SetupError):  # check_model reports it
        engine = engine.for_model(settings.model)
    libraries = ("av", *engine.libraries)
    code = "; ".join(
        f"import {name}; print({name!r}, getattr({name}, '__version__', ''))" for name in libraries
    )
    advice = "Reinstall Auricle and its dependencies from its repository."
    done = _run(limit_s, "-c", code)
    if done is None:
        text = f"{', '.join(libraries)} not loaded within {limit_s:g} s"
        return Finding("engine", Level.WRONG, text, _slow_advice(limit_s))
    if done.returncode:
        return Finding("engine", Level.WRONG, _last_line(done), advice)
    versions = ", ".join(done.stdout.split("\n")[:-1])
    return Finding("engine", Level.OK, f"{_described(engine)}; with {versions}")


def _slow_advice(limit_s: float) -> str:
    """Return the advice for a child process that did not end in time."""
    return (
        f"A slow disk or processor, or a machine that is busy, needs longer: try `auricle doctor "
        f"--timeout {5 * limit_s:g}`. If that fails too, the libraries hang on this machine."
    )


def _described(engine: EngineSpec) -> str:
    abilities = {
        "language detection": engine.detects_language,
        "translation": engine.translates,
        "word times": engine.has_word_times,
        "prompts": engine.reads_prompts,
        "streaming": engine.streams,
    }
    parts = [
        f"{_number(len(engine.languages), 'language')}",
        f"windows of {engine.max_audio_s:g} s",
        *(ability for ability, is_there in abilities.items() if is_there),
    ]
    return f"{engine.name}: {', '.join(parts)}"


def check_model(settings: Settings) -> Finding:
    """Check whether the model is on this machine; downloads nothing."""
    try:
        status = find_engine(settings.model.engine).models.status(settings.model)
    except SetupError as exc:
        return Finding("model", Level.WRONG, "can't be used", str(exc))
    if status.is_local:
        return Finding("model", Level.OK, status.text)
    advice = "It is downloaded at the first start, which requires network access."
    return Finding("model", Level.WARNING, f"{status.text} is not downloaded yet", advice)


def of_default_model(settings: Settings) -> Settings:
    """Return settings of the default model only; unchanged if there is only one."""
    try:
        return find_local_models(settings).of_one_model(settings)
    except SetupError:  # check_models reports it
        return settings


def check_models(settings: Settings) -> Finding:
    """Check all models and their shares of the memory; downloads nothing."""
    try:
        text, problems = find_local_models(settings).describe(settings)
    except SetupError as exc:
        return Finding("models", Level.WRONG, "can't be served", str(exc))
    return Finding("models", Level.WARNING if problems else Level.OK, text, problems)


def check_processors(settings: Settings) -> Finding:
    """Check that the workers fit the cores."""
    if settings.model.device == "cuda":
        return Finding("cores", Level.OK, f"{usable_cores()} usable; workers use the GPU")
    worker, _ = on_cpu(settings.worker, settings.model, _worker_mb(settings))
    cores, workers, threads = usable_cores(), worker.workers, worker.worker_threads
    text = f"{cores} usable; {_number(workers, 'worker')} of {_number(threads, 'thread')}"
    if workers == 1:
        advice = "A crash of the only worker interrupts the service; set AURICLE_WORKERS=2."
        return Finding("cores", Level.WARNING, text, advice)
    if workers * threads > max(2, cores):
        advice = "More threads than cores increase latency: lower AURICLE_WORKERS."
        return Finding("cores", Level.WARNING, text, advice)
    return Finding("cores", Level.OK, text)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"


def check_memory(settings: Settings) -> Finding:
    """Check that the workers fit the free memory."""
    worker_mb = _worker_mb(settings)
    worker, _ = on_cpu(settings.worker, settings.model, worker_mb)
    free_mb = available_memory_bytes() / 1e6
    if settings.model.device == "cuda":
        return Finding("memory", Level.OK, f"{free_mb:.0f} MB free; workers use the GPU")
    wanted_mb = worker.workers * worker_mb
    text = f"{free_mb:.0f} MB free, {wanted_mb:.0f} MB for {_number(worker.workers, 'worker')}"
    if free_mb < wanted_mb:
        advice = "Free memory, set fewer AURICLE_WORKERS, or choose a smaller AURICLE_MODEL."
        return Finding("memory", Level.WARNING, text, advice)
    return Finding("memory", Level.OK, text)


def _worker_mb(settings: Settings) -> float:
    """Return the memory of a worker in MB; without a usable model, the least that it needs."""
    try:
        engine = find_engine(settings.model.engine)
    except SetupError:
        return MemoryEstimate().worker_mb(0.0)
    try:
        model_mb = engine.models.status(settings.model).size_mb
    except SetupError:
        model_mb = 0.0
    return engine.memory.worker_mb(model_mb)


def check_sandbox(settings: Settings, limit_s: float = LIMIT_S) -> Finding:
    """Check in a child process which restrictions the sandbox applies.

    Args:
        settings: All settings.
        limit_s: Longest wait for the child process, in seconds.
    """
    if settings.worker.sandbox == "off":
        advice = "Unset AURICLE_SANDBOX, unless workers can't start in the sandbox."
        return Finding("sandbox", Level.WARNING, "off: workers are not restricted", advice)
    done = _run(limit_s, "-m", "auricle.workers.sandbox.confinement")
    if done is None:
        text = f"not checked within {limit_s:g} s"
        return Finding("sandbox", Level.WRONG, text, _slow_advice(limit_s))
    try:
        lacking: list[str] = json.loads(done.stdout)
    except ValueError:
        return Finding("sandbox", Level.WRONG, "can't be checked", _last_line(done))
    if lacking:
        text = f"not restricted: {'; '.join(lacking)}"
        return Finding("sandbox", Level.WARNING, text, SANDBOX_ADVICE)
    text = (
        "workers can't use the network, run programs, send signals or read files except the model"
    )
    return Finding("sandbox", Level.OK, text)


def check_address(settings: Settings) -> Finding:
    """Check that the server can listen at its address, or is already running there."""
    server = settings.server
    where = f"{server.host} port {server.port}"
    try:
        check_exposure(server)
    except SetupError as exc:
        return Finding("address", Level.WRONG, f"{where} can't be used", str(exc))
    text = f"{where} is free"
    try:
        for sock in listen(server):
            sock.close()
    except SetupError as exc:
        running = _running_health(settings)
        if running is None:
            return Finding("address", Level.WARNING, f"{where} is not available", str(exc))
        text = f"{where}: Auricle {running['version']} is running there"
    if is_exposed(server):
        advice = "All machines that reach it can use it: set AURICLE_API_KEYS or AURICLE_KEYS_FILE."
        return Finding("address", Level.WARNING, f"{text}, accessible without keys", advice)
    return Finding("address", Level.OK, text)


def check_live(settings: Settings) -> Finding:
    """Check whether the running server holds the people who speak live."""
    live = (_running_health(settings) or {}).get("live")
    if live is None:
        return Finding("live", Level.OK, "no server is running, so nothing is known of its load")
    speakers, capacity = round(live["speakers"]), round(live["capacity"])
    are = "person is" if speakers == 1 else "people are"
    text = f"{speakers} {are} being transcribed now; this server holds about {capacity}"
    fixed, limit = settings.live.live_speakers, variable("live_speakers")
    relief = f"Choose a smaller {variable('model')}, or use more cores or another server."
    if live["late"]:
        return Finding("live", Level.WARNING, f"captions are late: {text}", relief)
    if live["waiting_clients"] or live["speakers"] >= live["capacity"]:
        text = f"full: {text}; waiting clients: {live['waiting_clients']}"
        advice = f"Raise or unset {limit}; unset, the number is learned." if fixed else relief
        return Finding("live", Level.WARNING, text, advice)
    if not live["learned"] and not fixed:
        advice = f"`auricle bench --save` measures the number, and {limit} sets it."
        return Finding("live", Level.WARNING, f"{text}, which is not learned yet", advice)
    return Finding("live", Level.OK, text)


def _running_health(settings: Settings) -> dict[str, Any] | None:
    """Return ``/health`` of the Auricle server at the configured address, or ``None``."""
    server = settings.server
    host = "127.0.0.1" if server.host in ("", "0.0.0.0", "::") else server.host
    scheme = "http" if server.tls_cert is None else "https"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{server.port}/health"
    try:
        # No secret is sent, so a self-signed certificate need not be verified.
        answer = httpx2.get(url, timeout=ANSWER_LIMIT_S, verify=False, trust_env=False).json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        return None
    return answer if isinstance(answer, dict) and "decode_workers" in answer else None


def check_disk(settings: Settings) -> Finding:
    """Check the disk space for the model in the cache, and for uploads in the spool directory."""
    cache = settings.model.cache_dir
    spool = spool_directory(settings.server, settings.ledger)
    places = (("cache", cache, MODEL_DISK_MB), ("spool", spool, SPOOL_DISK_MB))
    texts = []
    for name, folder, wanted_mb in places:
        existing = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
        setting = f"AURICLE_{name.upper()}_DIR"
        if not os.access(existing, os.W_OK):
            return Finding("disk", Level.WRONG, f"{folder} can't be written", f"Set {setting}.")
        free_mb = shutil.disk_usage(existing).free / 1e6
        text = f"{free_mb:.0f} MB free for the {name} in {folder}"
        if free_mb < wanted_mb:
            return Finding("disk", Level.WARNING, text, f"Free disk space, or set {setting}.")
        texts.append(text)
    return Finding("disk", Level.OK, ", ".join(texts))


def check_audio(settings: Settings) -> Finding:
    """Check the store of the audio of jobs; :func:`check_disk` checks directories."""
    ledger = settings.ledger
    where = ledger.audio_url
    if where is None:
        return Finding("audio", Level.OK, f"jobs store it in {ledger.directory / AUDIO_DIRECTORY}")
    try:
        spec = audio_at(where)
        spec.open(where, settings, spool_directory(settings.server, ledger)).check()
    except SetupError as exc:
        return Finding("audio", Level.WRONG, f"{where} can't be used", str(exc))
    except LedgerUnavailable:
        return Finding("audio", Level.WARNING, f"{where} does not answer", spec.advice)
    return Finding("audio", Level.OK, f"jobs store it in {where}")


def check_gpu(settings: Settings) -> Finding:
    """Check that the engine finds a GPU and its libraries."""
    try:
        engine = find_engine(settings.model.engine)
    except SetupError as exc:
        return Finding("GPU", Level.WRONG, "no engine", str(exc))
    level = Level.WARNING if settings.model.device == "auto" else Level.WRONG
    if engine.gpu is None:
        advice = "Set AURICLE_DEVICE=cpu, or choose another AURICLE_ENGINE."
        return Finding("GPU", level, f"{engine.name} does not use GPUs", advice)
    report = engine.gpu.look()
    if (issue := engine.gpu.issue(report)) is not None:
        return Finding("GPU", level, issue.text, issue.advice)
    text = f"{report.count} x {report.names[0]}, at least {report.memory_mb:.0f} MB each"
    return Finding("GPU", Level.OK, text)


def _run(limit_s: float, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run Python in a worker's environment; return ``None`` after ``limit_s`` seconds."""
    try:
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=worker_environment(1),
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = done.stderr.strip().splitlines()
    if not lines:
        return f"the check exited with {done.returncode}"
    return lines[-1].removeprefix("AssertionError: ")


def checks_of_apis(settings: Settings) -> list[Check]:
    """Return the checks of the APIs that have some for these settings."""
    return [partial(_check_api, a.name, each) for a in find_apis() for each in a.checks(settings)]


def _check_api(name: str, check: Callable[[], str], settings: Settings) -> Finding:
    try:
        return Finding(name, Level.OK, check())
    except SetupError as exc:
        return Finding(name, Level.WARNING, "does not work as configured", str(exc))


CHECKS: tuple[Check, ...] = (
    check_python,
    check_variables,
    check_libopus,
    check_engine,
    check_model,
    check_models,
    check_processors,
    check_memory,
    check_sandbox,
    check_address,
    check_live,
    check_disk,
    check_audio,
)
"""Checks that always run, in this order; :func:`check_gpu` runs only on request."""
PROBES: tuple[Check, ...] = (check_engine, check_sandbox)
"""Those that wait for a child process and accept ``limit_s``."""
