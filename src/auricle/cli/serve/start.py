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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import structlog
import typer
from anyio.abc import TaskStatus
from rich.text import Text

from auricle import __version__
from auricle.cli.engine import Engine
from auricle.cli.part import webhooks_of_parts
from auricle.cli.serve.engine import find_engine, find_models
from auricle.cli.serve.operator_warnings import warn
from auricle.cli.settings import changed_settings, unknown_variable_warnings
from auricle.cli.support.console import EXIT_UNUSABLE, is_terminal, results
from auricle.config.settings import Settings
from auricle.system.logs import configure_logging, log_uncaught
from auricle.system.machine import shorten_collections
from auricle.system.platforms import what_is_lacking
from auricle.values.errors import AuricleError, SetupError
from auricle.values.optional_workers import OptionalWorkers
from auricle.values.transcriber import EngineTranscriber

if TYPE_CHECKING:
    from auricle.server.access.keyless_port import KeylessPort
    from auricle.server.api_spec import ApiSpec
    from auricle.server.service import Backends

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
        warn("unknown_setting", warning)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    """Check the settings, fetch the model, start the workers and serve; then stop the workers.

    Raises:
        SetupError: The server can't start; the message says what to do.
    """
    from auricle.apis.registry import all_products, find_apis
    from auricle.workers.child.channel import keep_memory_private
    from auricle.workers.crash_audio import CrashAudio
    from auricle.workers.poison import CrashBudget
    from auricle.workers.registry import find_kinds, open_workers
    from auricle.workers.spec import PoolContext

    began_at = time.monotonic()
    if _hangup_is_reload():
        signal.signal(signal.SIGHUP, lambda *_: None)  # until models are there to be reloaded
    keep_memory_private()
    if lacking := what_is_lacking():
        warn("platform", lacking)
    apis = find_apis()
    _check(settings, apis)
    kinds = find_kinds()
    for spec in kinds.values():
        spec.check(settings)
    folder = settings.server.keep_audio
    crash_audio = None if folder is None else CrashAudio.open(folder)
    crash_budget = CrashBudget.of(settings.queue)
    table = find_models(settings, all_products(apis))
    engine = await find_engine(settings, table, crash_audio, crash_budget)
    pool = engine.transcriber
    async with contextlib.AsyncExitStack() as stack:
        if crash_audio is not None:
            stack.push_async_callback(crash_audio.aclose)
            warn("crash_audio_kept", f"Audio that crashes or hangs a worker is kept in {folder}.")
        stack.push_async_callback(pool.aclose)
        await pool.start()
        # One core imports the server while the other one loads the model.
        await anyio.to_thread.run_sync(_import_server)
        from auricle.server.service import Backends
        from auricle.workers.kinds.decode.pool import DecodePool

        max_samples = engine.models.max_audio_samples
        decoder = DecodePool(
            settings.worker, settings.decode, crash_audio, crash_budget, max_samples
        )
        final_workers = len(pool.stats().workers)
        context = PoolContext(settings, table, final_workers, engine.is_remote, crash_budget, warn)
        workers = await open_workers(kinds, context)
        for owned in (decoder, *workers.values()):
            stack.push_async_callback(owned.aclose)
        late: list[Any] = [decoder]
        for kind, optional in workers.items():
            if kinds[kind].is_started_late:
                late.append(optional)
            else:  # the first job starts its workers
                await optional.start()
        shorten_collections()
        backends = Backends(
            transcriber=pool,
            decoder=decoder,
            models=engine.models,
            optional=OptionalWorkers(**workers),
            machine=engine.machine,
            is_remote=engine.is_remote,
        )
        await _open_and_serve(settings, engine, backends, late, apis)
    uptime_s = round(time.monotonic() - began_at, 1)
    log.info("stopped", version=__version__, uptime_s=uptime_s)


async def _open_and_serve(
    settings: Settings,
    engine: Engine,
    backends: "Backends",
    late: Sequence[Any],
    apis: "Sequence[ApiSpec]",
) -> None:
    """Serve until a signal ends it.

    Args:
        settings: All settings.
        engine: What recognises; started.
        backends: What decodes and transcribes for the server.
        late: Pools to be started after the one of finals.
        apis: The APIs to serve.

    Raises:
        SetupError: The server can't start; the message says what to do.
    """
    from auricle.server.access.exposure import is_exposed, listen
    from auricle.server.app import create_app
    from auricle.server.main import serve
    from auricle.server.net.listen import base_url
    from auricle.server.service import open_service

    sockets = listen(settings.server)
    if is_exposed(settings.server):
        warn(
            "open_without_keys",
            "No keys are set: every machine that reaches this server can use it.",
        )
    url = base_url(settings.server, sockets)
    problems: list[SetupError] = []
    async with open_service(settings, backends, apis, webhooks_of_parts()) as service:
        app = await anyio.to_thread.run_sync(create_app, service)  # imports the APIs' routes
        ports = {port: port.keyless.listen() for port in app.apis.ports}
        for port, opened in ports.items():
            if opened:
                _announce_port(port.keyless, opened)
        async with anyio.create_task_group() as tasks:
            await tasks.start(_reload_at_hangup, engine)
            tasks.start_soon(_announce, settings, engine, url, problems)
            returning = service.live.admission.returning
            tasks.start_soon(_start_late, late, engine.transcriber, returning)
            tasks.start_soon(engine.watch)
            await serve(app, sockets, ports)
            tasks.cancel_scope.cancel()
    if problems:
        raise problems[0]


def _check(settings: Settings, apis: "Sequence[ApiSpec]") -> None:
    """Check what can be checked before the model is fetched.

    Raises:
        SetupError: A port is in use, the key file or the certificate is invalid, or this
            installation does not support the database or the store of audio.
    """
    from auricle.ledger.location import check_urls
    from auricle.server.access.exposure import listen
    from auricle.server.access.key_file import read_keys
    from auricle.server.api_spec import reserved_clients
    from auricle.server.net.tls import Certificate

    check_urls(settings.ledger)
    server = settings.server
    if server.keys_file is not None:
        read_keys(server.keys_file, reserved_clients(apis))
    Certificate.of(server)
    keyless = [port(settings) for api in apis for port in api.ports]
    for sock in (*listen(server), *(sock for port in keyless for sock in port.listen())):
        sock.close()


def _import_server() -> None:
    """Import what needs 0.8 s of CPU time, in a thread."""
    import auricle.server.app
    import auricle.server.main  # noqa: F401

    webhooks_of_parts()  # imports the part


async def _start_late(late: Sequence[Any], pool: EngineTranscriber, returning: int) -> None:
    """Start workers that finals of live sessions do not need.

    Args:
        late: The workers, in the order of their start.
        pool: What recognises; its start comes first.
        returning: Live sessions that return with the speech of the time without a server.
    """
    with contextlib.suppress(SetupError):  # there is no model, or not within the time
        await pool.wait_ready(OTHERS_WAIT_S)
    if returning:
        await anyio.sleep(OTHERS_WAIT_S)
    for each in late:
        await each.start()


def _announce_port(keyless: "KeylessPort", sockets: Sequence[socket.socket]) -> None:
    """Report the address of a port without keys, and warn if other machines can use it."""
    port = sockets[0].getsockname()[1]
    where = f"{keyless.host} port {port}"
    log.info(f"{keyless.name}_started", host=keyless.host, port=port)
    _show(f"{keyless.protocol} for {keyless.users}: {where}.")
    if keyless.is_exposed:
        warn(
            f"{keyless.name}_open",
            f"{keyless.protocol} has no authentication: every machine that reaches {where} can "
            "use it.",
        )


async def _announce(
    settings: Settings, engine: Engine, url: str, problems: list[SetupError]
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


async def _reload_at_hangup(engine: Engine, *, task_status: TaskStatus[None]) -> None:
    """Reload models at each SIGHUP, which a service manager sends for `reload`."""
    if not _hangup_is_reload():
        task_status.started()
        return
    with anyio.open_signal_receiver(signal.SIGHUP) as hangups:
        task_status.started()
        async for _ in hangups:
            log.info("reloading", models=not engine.is_remote)
            await engine.reload()


def _show(line: str | Text) -> None:
    """Print a line on a terminal; log collectors receive the JSON events instead."""
    if is_terminal(sys.stdout):
        results.print(line)


def curl_line(url: str, *, has_keys: bool) -> str:
    """Return a curl command that posts speech; in a clone, without keys, it works unchanged."""
    file, kind = (CLIP, "audio/wav") if CLIP.is_file() else ("FILE", "audio/*")
    key = "-H 'Authorization: Bearer KEY' " if has_keys else ""
    return f"curl --data-binary @{file} -H 'Content-Type: {kind}' {key}{url}/utterance"
