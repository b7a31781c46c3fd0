"""``auricle serve``: the HTTP server with its workers.

The log is JSON on stderr. Lines for people are printed on a terminal only, so that a pipe (systemd,
a container's log) carries nothing but JSON.
"""

import asyncio
import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import structlog
import typer
from rich.text import Text

from auricle import __version__
from auricle.cli.console import EXIT_UNUSABLE, errors, is_terminal, results
from auricle.cli.options import setting
from auricle.cli.settings import changed_settings, unknown_variable_warnings
from auricle.config import ServerSettings, Settings
from auricle.errors import AuricleError, SetupError
from auricle.machine import shorten_collections

if TYPE_CHECKING:
    from auricle.cluster.gateway.transcriber import RemoteTranscriber
    from auricle.workers.asr.pool import WorkerPool
    from auricle.workers.crash_audio import CrashAudio
    from auricle.workers.process.poison import CrashBudget

CLIP = Path("testdata/fellow.wav")
"""Speech to try it with, when started in a clone of the repository."""

log = structlog.get_logger("auricle.server")


def serve(
    host: Annotated[str | None, setting("host")] = None,
    port: Annotated[int | None, setting("port")] = None,
    keys_file: Annotated[str | None, setting("keys_file")] = None,
    insecure_no_auth: Annotated[bool | None, setting("insecure_no_auth")] = None,
    tls_cert: Annotated[str | None, setting("tls_cert")] = None,
    tls_key: Annotated[str | None, setting("tls_key")] = None,
    wyoming: Annotated[bool | None, setting("wyoming")] = None,
    wyoming_host: Annotated[str | None, setting("wyoming_host")] = None,
    wyoming_port: Annotated[int | None, setting("wyoming_port")] = None,
    wyoming_open: Annotated[bool | None, setting("wyoming_open")] = None,
    model: Annotated[str | None, setting("model")] = None,
    device: Annotated[str | None, setting("device")] = None,
    compute_type: Annotated[str | None, setting("compute_type")] = None,
    workers: Annotated[int | None, setting("workers")] = None,
    worker_threads: Annotated[int | None, setting("worker_threads")] = None,
    decode_workers: Annotated[int | None, setting("decode_workers")] = None,
    queue_audio_s: Annotated[float | None, setting("queue_audio_s")] = None,
    max_audio_s: Annotated[float | None, setting("max_audio_s")] = None,
    drain_s: Annotated[float | None, setting("drain_s")] = None,
    keep_audio: Annotated[str | None, setting("keep_audio")] = None,
    log_level: Annotated[str | None, setting("log_level")] = None,
) -> None:
    """Serve speech to text over HTTP.

    The port answers at once; until the first worker is ready, requests get 503 with Retry-After.
    Other addresses than this machine's own need keys: AURICLE_API_KEYS=name:key, or a file that
    `auricle keys add` writes. Keys themselves are no option, since others can read a command line.
    `--insecure-no-auth` does without.

    With AURICLE_ENGINE_URLS recognisers on other machines do the work, and no model is loaded here.

    Ctrl-C finishes what was accepted and leaves; a second one doesn't wait for it.
    """
    overrides: dict[str, object] = {
        "host": host,
        "port": port,
        "keys_file": keys_file,
        "insecure_no_auth": insecure_no_auth,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "wyoming": wyoming,
        "wyoming_host": wyoming_host,
        "wyoming_port": wyoming_port,
        "wyoming_open": wyoming_open,
        "model": model,
        "device": device,
        "compute_type": compute_type,
        "workers": workers,
        "worker_threads": worker_threads,
        "decode_workers": decode_workers,
        "queue_audio_s": queue_audio_s,
        "max_audio_s": max_audio_s,
        "drain_s": drain_s,
        "keep_audio": keep_audio,
        "log_level": log_level,
    }
    try:
        _run(overrides)
    except AuricleError as exc:
        if is_terminal(sys.stderr):
            raise  # one plain line
        log.error("start_failed", message=str(exc), version=__version__)
        raise typer.Exit(EXIT_UNUSABLE) from exc


def _run(overrides: Mapping[str, object]) -> None:
    from auricle.logs import configure_logging, log_uncaught

    configure_logging("info")  # for what is wrong with the settings themselves
    log_uncaught()
    settings = Settings.load(overrides)
    configure_logging(settings.server.log_level)
    for warning in unknown_variable_warnings():
        _warn("unknown_setting", warning)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    """Check, get the model, start the workers, serve; stop them again in any case.

    Raises:
        SetupError: Something of that can't be; it says what to do.
    """
    from auricle.server.access.key_file import read_keys
    from auricle.server.access.keyring import is_exposed
    from auricle.server.api import wyoming
    from auricle.server.app import create_app
    from auricle.server.main import listen, serve
    from auricle.server.net.listen import base_url
    from auricle.server.net.tls import Certificate
    from auricle.workers.crash_audio import CrashAudio
    from auricle.workers.decode.pool import DecodePool
    from auricle.workers.process.channel import keep_memory_private
    from auricle.workers.process.poison import CrashBudget

    began_at = time.monotonic()
    keep_memory_private()
    # A port in use, a bad file of keys or certificate is told before a model is fetched.
    if settings.server.keys_file is not None:
        read_keys(settings.server.keys_file)
    Certificate.of(settings.server)
    for found in (*listen(settings.server), *wyoming.listen(settings.server)):
        found.close()
    kept = None if (folder := settings.server.keep_audio) is None else CrashAudio.open(folder)
    crash_budget = CrashBudget(settings.queue.max_crashes_per_key, settings.queue.crash_window_s)
    engine = await _engine(settings, kept, crash_budget)
    pool = engine.transcriber
    decoder = DecodePool(settings.worker, settings.decode, kept, crash_budget)
    app = create_app(pool, decoder, settings)
    sockets = listen(settings.server)
    if is_exposed(settings.server):
        _warn(
            "open_without_keys",
            "No keys are set: every machine that reaches this server can use it.",
        )
    url = base_url(settings.server, sockets)
    if wyoming_sockets := wyoming.listen(settings.server):
        model = "" if settings.engine.engine_urls else Path(settings.model.model).name
        guests = wyoming.WyomingServer(app.state.auricle, model)
        app.state.auricle.background_tasks.append(partial(guests.serve, wyoming_sockets))
        _announce_wyoming(settings.server, wyoming_sockets[0].getsockname()[1])
    async with contextlib.AsyncExitStack() as stack:
        if kept is not None:
            stack.push_async_callback(kept.aclose)
            _warn("crash_audio_kept", f"Audio that crashes or hangs a worker is kept in {folder}.")
        for used in (pool, decoder):
            stack.push_async_callback(used.aclose)
        await pool.start()
        await decoder.start()
        shorten_collections()
        problems: list[SetupError] = []
        async with anyio.create_task_group() as background_tasks:
            background_tasks.start_soon(_announce, settings, engine, url, problems)
            background_tasks.start_soon(_warn_of_open_recognisers, settings.engine.engine_urls)
            try:
                await serve(app, settings.server, sockets)
            except SetupError as exc:  # out of a task group it would come as a group
                problems.append(exc)
            background_tasks.cancel_scope.cancel()
    if problems:
        raise problems[0]
    uptime_s = round(time.monotonic() - began_at, 1)
    log.info("stopped", version=__version__, uptime_s=uptime_s)


@dataclass(frozen=True, slots=True)
class _Engine:
    """What recognises, not started yet.

    Attributes:
        transcriber: Owned by the caller.
        summary: What it does at the start, for the terminal.
        facts: The same for the log.
    """

    transcriber: "WorkerPool | RemoteTranscriber"
    summary: str
    facts: Mapping[str, object]


async def _engine(
    settings: Settings, kept: "CrashAudio | None", crash_budget: "CrashBudget"
) -> _Engine:
    """Return what recognises: workers of this server, or recognisers on other machines.

    Raises:
        SetupError: The model or the GPU can't be had.
    """
    if urls := settings.engine.engine_urls:
        from auricle.cluster.gateway.transcriber import RemoteTranscriber

        count = f"{len(urls)} recognisers" if len(urls) > 1 else "a recogniser"
        remote = RemoteTranscriber(settings.engine, settings.queue, crash_budget)
        return _Engine(remote, f"asks {count} elsewhere", {"recognisers": len(urls)})

    from auricle.engine.placement import resolve_placement
    from auricle.engine.whisper.fetch import resolve
    from auricle.workers.asr.pool import WorkerPool

    in_log = not is_terminal(sys.stderr)
    model_path = await anyio.to_thread.run_sync(partial(resolve, settings.model, in_log=in_log))
    place = await anyio.to_thread.run_sync(
        resolve_placement, settings.worker, settings.model, model_path
    )
    if place.trouble is not None:
        _warn("gpu_not_used", f"No GPU is used: {place.trouble.text}.")
    pool = WorkerPool(place.worker, settings.queue, place.model, model_path, kept, crash_budget)
    workers = place.worker.workers
    summary = f"loads {settings.model.model} in {workers} worker{'s' * (workers > 1)}"
    facts = {
        "model": settings.model.model,
        "device": place.model.device,
        "compute_type": place.model.compute_type,
        "workers": workers,
        "worker_threads": place.worker.worker_threads,
    }
    return _Engine(pool, summary, facts)


def _announce_wyoming(settings: ServerSettings, port: int) -> None:
    """Report where Wyoming's clients find the server, and that they need no keys."""
    from auricle.server.api.wyoming import is_exposed

    where = f"{settings.wyoming_host} port {port}"
    log.info("wyoming_started", host=settings.wyoming_host, port=port)
    _show(f"Home Assistant finds it on {where} (Wyoming).")
    if is_exposed(settings):
        _warn(
            "wyoming_open",
            f"Wyoming has no keys: every machine that reaches {where} can use it.",
        )


async def _announce(
    settings: Settings, engine: _Engine, url: str, problems: list[SetupError]
) -> None:
    """Report where the server is and when it is ready; end it if the model can't be loaded."""
    began_at = time.monotonic()
    log.info(
        "started",
        version=__version__,
        url=url,
        pid=os.getpid(),
        **engine.facts,
        settings=changed_settings(settings),
    )
    _show(Text.assemble("Auricle serves on ", (url, "bold"), f" and {engine.summary}…"))
    try:
        await engine.transcriber.wait_ready(math.inf)
    except SetupError as exc:
        problems.append(exc)
        signal.raise_signal(signal.SIGTERM)  # the one way in which the server ends
        return
    shorten_collections()  # what was loaded since is little
    after_s = round(time.monotonic() - began_at, 1)
    log.info("ready", version=__version__, model=engine.transcriber.stats().model, after_s=after_s)
    _show(f"Ready after {after_s:.1f} s. Try it:")
    _show(f"  {curl_line(url, has_keys=settings.server.has_keys)}")


def _show(line: str | Text) -> None:
    """Print a line for a person at a terminal; a log collector gets the JSON events instead."""
    if is_terminal(sys.stdout):
        results.print(line)


async def _warn_of_open_recognisers(urls: Sequence[str]) -> None:
    if not urls:
        return
    from auricle.cluster.gateway.exposure import open_urls

    for url in await open_urls(urls):
        _warn(
            "recogniser_unencrypted",
            f"Speech and the key go unencrypted over other networks to {url}: use https.",
        )


def _warn(event: str, message: str) -> None:
    """Warn the operator: a plain line on a terminal, else an event of the log."""
    if is_terminal(sys.stderr):
        errors.print(f"auricle: {message}", style="yellow")
    else:
        log.warning(event, message=message)


def curl_line(url: str, *, has_keys: bool) -> str:
    """Return a command that posts speech; it works as it is in a clone, without keys."""
    file, kind = (CLIP, "audio/wav") if CLIP.is_file() else ("FILE", "audio/*")
    key = "-H 'Authorization: Bearer KEY' " if has_keys else ""
    return f"curl --data-binary @{file} -H 'Content-Type: {kind}' {key}{url}/utterance"
