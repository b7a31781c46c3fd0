"""The HTTP server with its workers, from its settings to its end.

The log is JSON on stderr. Plain lines are printed on terminals only, so that a pipe (systemd, a
container's log) receives only JSON.
"""

import asyncio
import contextlib
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import structlog
import typer
from anyio.abc import TaskStatus
from rich.text import Text

from auricle import __version__
from auricle.cli.settings import changed_settings, unknown_variable_warnings
from auricle.cli.support.console import EXIT_UNUSABLE, errors, is_terminal, results
from auricle.config.settings import ServerSettings, Settings
from auricle.system.logs import configure_logging, log_uncaught
from auricle.system.machine import shorten_collections
from auricle.values.errors import AuricleError, SetupError

if TYPE_CHECKING:
    from auricle.cluster.gateway.transcriber import RemoteTranscriber
    from auricle.engines.models import Models, ModelTable
    from auricle.server.access.keyless_port import KeylessPort
    from auricle.server.live.admission.memory import Machine
    from auricle.values.speakers import Speakers
    from auricle.workers.crash_audio import CrashAudio
    from auricle.workers.kinds.asr.model_pools import ModelPools
    from auricle.workers.kinds.decode.pool import DecodePool
    from auricle.workers.kinds.partials.pool import PartialPool
    from auricle.workers.kinds.speakers.pool import SpeakerPool
    from auricle.workers.process.poison import CrashBudget

WORKERS_PER_RECOGNISER = 2
"""Until finals show what the recognisers hold."""
OTHERS_WAIT_S = 10.0
"""Maximum time that other workers wait for the first recogniser, which takes 3 s on two cores, and
then for the finals of sessions that have returned."""
CLIP = Path("testdata/fellow.wav")
"""Speech for the example request, if started in a clone of the repository."""

log = structlog.get_logger("auricle.server")


def run(overrides: Mapping[str, object]) -> None:
    """Load the settings and serve until a signal ends it.

    Args:
        overrides: Settings by name; ``None`` leaves a setting to its variable.

    Raises:
        SetupError: The server can't start, and stderr is a terminal.
        Exit: It can't start, and the log says why.
    """
    try:
        _run(overrides)
    except AuricleError as exc:
        if is_terminal(sys.stderr):
            raise  # printed as one plain line
        log.error("start_failed", message=str(exc), version=__version__)
        raise typer.Exit(EXIT_UNUSABLE) from exc


def _run(overrides: Mapping[str, object]) -> None:
    configure_logging("info")  # for errors in the settings
    log_uncaught()
    settings = Settings.load(overrides)
    configure_logging(settings.server.log_level)
    for warning in unknown_variable_warnings():
        _warn("unknown_setting", warning)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    """Check the settings, fetch the model, start the workers and serve; then stop the workers.

    Raises:
        SetupError: The server can't start; the message says what to do.
    """
    from auricle.apis.registry import all_products, find_apis
    from auricle.engines.models import ModelTable
    from auricle.workers.crash_audio import CrashAudio
    from auricle.workers.process.channel import keep_memory_private
    from auricle.workers.process.poison import CrashBudget

    began_at = time.monotonic()
    if _hangup_is_reload():
        signal.signal(signal.SIGHUP, lambda *_: None)  # until models are there to be reloaded
    keep_memory_private()
    apis = find_apis()
    _check(settings.server, [port(settings) for api in apis for port in api.ports])
    speaker_pool, speakers = _speakers(settings)
    folder = settings.server.keep_audio
    crash_audio = None if folder is None else CrashAudio.open(folder)
    crash_budget = CrashBudget(settings.queue.max_crashes_per_key, settings.queue.crash_window_s)
    table = ModelTable.of(settings.model, all_products(apis))
    engine = await _engine(settings, table, crash_audio, crash_budget)
    pool = engine.transcriber
    problems: list[SetupError] = []
    async with contextlib.AsyncExitStack() as stack:
        if crash_audio is not None:
            stack.push_async_callback(crash_audio.aclose)
            _warn("crash_audio_kept", f"Audio that crashes or hangs a worker is kept in {folder}.")
        stack.push_async_callback(pool.aclose)
        await pool.start()
        # One core imports the server while the other one loads the model.
        await anyio.to_thread.run_sync(_import_server)
        from auricle.server.access.exposure import is_exposed, listen
        from auricle.server.app import create_app
        from auricle.server.main import serve
        from auricle.server.net.listen import base_url
        from auricle.workers.kinds.decode.pool import DecodePool
        from auricle.workers.kinds.frames.pool import FramePool
        from auricle.workers.kinds.turns.pool import TurnPool

        decoder = DecodePool(
            settings.worker,
            settings.decode,
            crash_audio,
            crash_budget,
            engine.models.max_audio_samples,
        )
        partials = await _partials(settings, table, len(pool.stats().workers))
        turns = TurnPool(settings.worker, settings.turns) if settings.turns.turn_workers else None
        frames = None
        if settings.decode.frame_workers:
            frames = FramePool(settings.worker, settings.decode, crash_budget)
        create = partial(
            create_app,
            pool,
            decoder,
            settings,
            partials,
            engine.models,
            speakers,
            turns,
            frames,
            engine.machine,
            apis=apis,
        )
        app = await anyio.to_thread.run_sync(create)  # imports the APIs' routes
        sockets = listen(settings.server)
        if is_exposed(settings.server):
            _warn(
                "open_without_keys",
                "No keys are set: every machine that reaches this server can use it.",
            )
        url = base_url(settings.server, sockets)
        ports = {port: port.keyless.listen() for port in app.state.ports}
        for port, opened in ports.items():
            if opened:
                _announce_port(port.keyless, opened)
        optional = [each for each in (partials, speaker_pool, turns, frames) if each is not None]
        for owned in (decoder, *optional):
            stack.push_async_callback(owned.aclose)
        for lazy in (speaker_pool, turns, frames):  # the first job starts their workers
            if lazy is not None:
                await lazy.start()
        shorten_collections()
        async with anyio.create_task_group() as tasks:
            await tasks.start(_reload_at_hangup, engine.reload)
            tasks.start_soon(_announce, settings, engine, url, problems)
            tasks.start_soon(
                _start_others, decoder, partials, pool, app.state.auricle.live.admission.returning
            )
            tasks.start_soon(_warn_of_open_recognisers, settings.engine.engine_urls)
            try:
                await serve(app, settings.server, sockets, ports)
            except SetupError as exc:  # a task group would raise it as a group
                problems.append(exc)
            tasks.cancel_scope.cancel()
    if problems:
        raise problems[0]
    uptime_s = round(time.monotonic() - began_at, 1)
    log.info("stopped", version=__version__, uptime_s=uptime_s)


def _check(settings: ServerSettings, keyless: "Sequence[KeylessPort]") -> None:
    """Check what can be checked before the model is fetched.

    Raises:
        SetupError: A port is in use, or the key file or the certificate is invalid.
    """
    from auricle.server.access.exposure import listen
    from auricle.server.access.key_file import read_keys
    from auricle.server.net.tls import Certificate

    if settings.keys_file is not None:
        read_keys(settings.keys_file)
    Certificate.of(settings)
    for port in keyless:
        port.check_announcement()
    for sock in (*listen(settings), *(sock for port in keyless for sock in port.listen())):
        sock.close()


def _import_server() -> None:
    """Import what needs 0.8 s of CPU time, in a thread."""
    import auricle.server.app
    import auricle.server.main  # noqa: F401


async def _start_others(
    decoder: "DecodePool",
    partials: "PartialPool | None",
    pool: "ModelPools | RemoteTranscriber",
    returning: int,
) -> None:
    """Start workers that finals of live sessions do not need.

    Args:
        decoder: Workers of files.
        partials: Workers of partials; ``None``: there are none.
        pool: What recognises; its start comes first.
        returning: Live sessions that return with the speech of the time without a server.
    """
    with contextlib.suppress(SetupError):  # there is no model, or not within the time
        await pool.wait_ready(OTHERS_WAIT_S)
    if returning:
        await anyio.sleep(OTHERS_WAIT_S)
    await decoder.start()
    if partials is not None:
        await partials.start()


@dataclass(frozen=True, slots=True)
class _Engine:
    """A transcriber that has not been started.

    Attributes:
        transcriber: Owned by the caller.
        models: Its models.
        summary: Describes what it is starting, for the terminal.
        facts: The same as fields for the log.
        machine: What its capacity of live speech depends on.
        model: Name of the requested model; empty if only the recognisers know it.
        reload: Replaces the models whose files have changed; ``None``: there are none here.
    """

    transcriber: "ModelPools | RemoteTranscriber"
    models: "Models"
    summary: str
    facts: Mapping[str, object]
    machine: "Machine"
    model: str = ""
    reload: Callable[[], Awaitable[None]] | None = None


async def _engine(
    settings: Settings,
    models: "ModelTable",
    crash_audio: "CrashAudio | None",
    crash_budget: "CrashBudget",
) -> _Engine:
    """Return the transcriber: a pool of local workers, or a client of recognisers.

    Raises:
        SetupError: The model or the GPU is not available.
    """
    from auricle.server.live.admission.memory import Machine

    if urls := settings.engine.engine_urls:
        from auricle.cluster.gateway.models import FleetModels
        from auricle.cluster.gateway.transcriber import RemoteTranscriber

        count = f"{len(urls)} recognisers" if len(urls) > 1 else "a recogniser"
        costs = models.default.engine.costs
        remote = RemoteTranscriber(settings.engine, settings.queue, costs, crash_budget)
        fleet = FleetModels(settings.model, remote.models, models.products)
        machine = Machine(f"{__version__} {sorted(urls)}", WORKERS_PER_RECOGNISER * len(urls))
        facts: dict[str, object] = {"recognisers": len(urls)}
        return _Engine(remote, fleet, f"sends jobs to {count}", facts, machine)

    from auricle.engines.placement import measured_of, plan_models
    from auricle.system.machine import available_memory_bytes
    from auricle.workers.kinds.asr.model_pools import ModelPools

    in_log = not is_terminal(sys.stderr)
    memory_mb = available_memory_bytes() / 1e6
    plans = await anyio.to_thread.run_sync(
        partial(plan_models, settings.worker, models, memory_mb=memory_mb)
    )
    place = await anyio.to_thread.run_sync(partial(plans[0].place, in_log=in_log))
    if place.gpu_issue is not None:
        _warn("gpu_not_used", f"Not using a GPU: {place.gpu_issue.text}.")
    pool = ModelPools(
        plans,
        place,
        settings.queue,
        crash_audio,
        crash_budget,
        idle_s=settings.model.model_idle_s,
        memory_mb=memory_mb,
    )
    workers = place.worker.workers
    summary = f"loads {place.model.name} in {workers} worker{'s' * (workers > 1)}"
    if others := [plan.model.name for plan in plans[1:]]:
        summary += f", and serves {', '.join(others)}"
    facts = {
        "engine": place.engine.name,
        "model": place.model.name,
        "revision": place.model.revision,
        "device": place.settings.device,
        "compute_type": place.settings.compute_type,
        "workers": workers,
        "worker_threads": place.worker.worker_threads,
    }
    if others:
        facts["models"] = [
            {
                "name": plan.model.name,
                "engine": plan.model.engine.name,
                "load": plan.model.load.value,
                "workers": plan.worker.workers,
                "memory_mb": round(plan.memory_mb),
            }
            for plan in plans
        ]
    measured = place.capacity.live_sessions if place.capacity is not None else 0
    machine = Machine(f"{__version__} {measured_of(place)}", workers, measured)
    return _Engine(pool, models, summary, facts, machine, models.default.name, pool.reload)


async def _partials(
    settings: Settings, models: "ModelTable", final_workers: int
) -> "PartialPool | None":
    """Return the workers for partials, not started; ``None`` if those of finals recognise them.

    A gateway has some only if the setting names a model that it has: its machine may be small.

    Args:
        settings: All settings.
        models: The models of this process; a gateway recognises none but partials with them.
        final_workers: Number of workers of finals, or of recognisers.

    Raises:
        SetupError: The model of the setting is not available.
    """
    if settings.engine.engine_urls and settings.live.partial_model is None:
        return None
    from auricle.engines.partial_model import find_partial_model, place_partial_model
    from auricle.workers.kinds.partials.pool import PartialPool

    name = settings.live.partial_model
    model = find_partial_model(name, models)
    if model is None:
        return None
    try:
        place = await anyio.to_thread.run_sync(
            partial(place_partial_model, model, settings.worker, final_workers)
        )
    except SetupError as exc:
        if name is not None:
            raise
        _warn("partial_model_not_used", f"{model.engine.name} is not used for partials: {exc}")
        return None
    log.info("partials", model=place.model.name, workers=place.worker.workers)
    return PartialPool(place)


def _speakers(settings: Settings) -> "tuple[SpeakerPool | None, Speakers]":
    """Return the workers for speakers, not started (``None`` if they are disabled), and their use.

    Raises:
        SetupError: The file of the setting is not a speaker model.
    """
    from auricle.values.speakers import NO_SPEAKERS
    from auricle.workers.kinds.speakers.local import LocalSpeakers
    from auricle.workers.kinds.speakers.model_file import BUNDLED_MODEL, digest_of
    from auricle.workers.kinds.speakers.pool import SpeakerPool

    if not settings.speakers.speaker_workers:
        return None, NO_SPEAKERS
    pool = SpeakerPool(settings.worker, settings.speakers, settings.queue)
    return pool, LocalSpeakers(pool, digest_of(settings.speakers.speaker_model or BUNDLED_MODEL))


def _announce_port(keyless: "KeylessPort", sockets: Sequence[socket.socket]) -> None:
    """Report the address of a port without keys, and warn if other machines can use it."""
    port = sockets[0].getsockname()[1]
    where = f"{keyless.host} port {port}"
    log.info(f"{keyless.name}_started", host=keyless.host, port=port)
    _show(f"{keyless.protocol} for {keyless.users}: {where}.")
    if keyless.is_exposed:
        _warn(
            f"{keyless.name}_open",
            f"{keyless.protocol} has no authentication: every machine that reaches {where} can "
            "use it.",
        )


async def _announce(
    settings: Settings, engine: _Engine, url: str, problems: list[SetupError]
) -> None:
    """Report the URL and when the server is ready; stop it if the model can't be loaded."""
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
        signal.raise_signal(signal.SIGTERM)  # the server's regular shutdown
        return
    shorten_collections()  # includes what was loaded since
    after_s = round(time.monotonic() - began_at, 1)
    log.info("ready", version=__version__, model=engine.transcriber.stats().model, after_s=after_s)
    _show(f"Ready after {after_s:.1f} s. Try it:")
    _show(f"  {curl_line(url, has_keys=settings.server.has_keys)}")


def _hangup_is_reload() -> bool:
    """Return whether SIGHUP means to reload; on a terminal it means that it was closed."""
    return hasattr(signal, "SIGHUP") and not is_terminal(sys.stderr)


async def _reload_at_hangup(
    reload: Callable[[], Awaitable[None]] | None, *, task_status: TaskStatus[None]
) -> None:
    """Reload models at each SIGHUP, which a service manager sends for `reload`."""
    if not _hangup_is_reload():
        task_status.started()
        return
    with anyio.open_signal_receiver(signal.SIGHUP) as hangups:
        task_status.started()
        async for _ in hangups:
            log.info("reloading", models=reload is not None)
            if reload is not None:
                await reload()


def _show(line: str | Text) -> None:
    """Print a line on a terminal; log collectors receive the JSON events instead."""
    if is_terminal(sys.stdout):
        results.print(line)


async def _warn_of_open_recognisers(urls: Sequence[str]) -> None:
    if not urls:
        return
    from auricle.cluster.gateway.exposure import unencrypted_public_urls

    for url in await unencrypted_public_urls(urls):
        _warn(
            "recogniser_unencrypted",
            f"Speech and the key are sent unencrypted to {url}: use https.",
        )


def _warn(event: str, message: str) -> None:
    """Warn the operator with a plain line on a terminal, else with a log event."""
    if is_terminal(sys.stderr):
        errors.print(f"auricle: {message}", style="yellow")
    else:
        log.warning(event, message=message)


def curl_line(url: str, *, has_keys: bool) -> str:
    """Return a curl command that posts speech; in a clone, without keys, it works unchanged."""
    file, kind = (CLIP, "audio/wav") if CLIP.is_file() else ("FILE", "audio/*")
    key = "-H 'Authorization: Bearer KEY' " if has_keys else ""
    return f"curl --data-binary @{file} -H 'Content-Type: {kind}' {key}{url}/utterance"
