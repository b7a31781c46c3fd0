"""``auricle cluster``: recognisers on Ray Serve, for gateways."""

import contextlib
import signal
import threading
import time
from typing import Annotated

import typer

from auricle.cli.settings import warn_of_unknown_variables
from auricle.cli.support.console import errors, results
from auricle.cli.support.setting_options import setting
from auricle.cluster.settings import ClusterSettings, GatewaySettings
from auricle.config.settings import Settings
from auricle.values.errors import SetupError


def up(
    replicas: Annotated[int | None, setting("replicas")] = None,
    host: Annotated[
        str, typer.Option(help="Address for jobs; a non-loopback address requires a key.")
    ] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for jobs.")] = 8000,
    model: Annotated[str | None, setting("model")] = None,
    device: Annotated[str | None, setting("device")] = None,
    workers: Annotated[int | None, setting("workers")] = None,
    replica_cpus: Annotated[float | None, setting("replica_cpus")] = None,
    log_level: Annotated[str | None, setting("log_level")] = None,
) -> None:
    """Run recognisers on Ray, on this machine only.

    Gateways send jobs to them if AURICLE_ENGINE_URLS names them. Requires Ray:
    `pip install 'ray[serve]==2.60.*'`. Ctrl-C finishes accepted jobs and exits.
    """
    settings = Settings.load(
        {
            "replicas": replicas,
            "model": model,
            "device": device,
            "workers": workers,
            "replica_cpus": replica_cpus,
            "log_level": log_level,
        }
    )
    warn_of_unknown_variables()
    _run(settings, host, port)


def _run(settings: Settings, host: str, port: int) -> None:
    """Check the arguments before starting Ray, which takes seconds; then run until a signal.

    Raises:
        SetupError: The key, port, model or Ray installation can't be used.
    """
    from auricle.server.access.exposure import is_loopback
    from auricle.server.net.listen import open_sockets
    from auricle.workers.local_models import find_local_models

    has_key = settings.section(GatewaySettings).engine_key is not None
    if not has_key and not is_loopback(host, "--host"):
        raise SetupError(
            f"Listening on {host} allows access from other machines and requires a key: set "
            "AURICLE_ENGINE_KEY here and on the gateways, or omit --host."
        )
    for sock in open_sockets(host, port, "--port"):
        sock.close()
    try:
        from auricle.cluster.ray.up import running
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] != "ray":
            raise
        raise SetupError("Ray is not installed. Run: pip install 'ray[serve]==2.60.*'") from exc
    for model in find_local_models(settings).table(settings):
        if model.is_loaded_at_start:
            model.engine.models.find(model.settings)
    with contextlib.ExitStack() as stack:
        began_at = time.monotonic()
        with errors.status("Starting Ray and the recognisers…"):  # shown on terminals only
            stack.enter_context(running(settings, host, port))
        count, took_s = settings.section(ClusterSettings).replicas, time.monotonic() - began_at
        results.print(f"{count} recogniser{'s' * (count > 1)} started in {took_s:.1f} s.")
        results.print("Start a gateway that uses them:")
        key = "AURICLE_ENGINE_KEY=KEY " if has_key else ""
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        results.print(f"  {key}AURICLE_ENGINE_URLS={url} auricle serve")
        _wait_for_a_signal()
        results.print("Finishing accepted jobs…")


def _wait_for_a_signal() -> None:
    """Return on SIGINT or SIGTERM, and let a second signal end the process at once."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # replaces the handlers that Ray has set
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
