"""Runs the application under uvicorn, and drains it before it exits.

SIGTERM and SIGINT start draining: ``/readyz`` and new work return 503 while accepted requests and
jobs finish, for at most ``drain_s``. Clients can fetch jobs' results meanwhile. After that,
unfinished requests return 503; unfinished jobs are lost, and are reported as lost before the
sockets close. Live clients are asked to reconnect at once; those that resume lose nothing. A second
signal ends draining. Unlike uvicorn, the server does not raise the signal again: the caller still
has to stop its workers.
"""

import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial

import structlog
from fastapi import FastAPI

from auricle.config.settings import ServerSettings
from auricle.server.access.connection_limits import LimitedListener
from auricle.server.access.exposure import listen
from auricle.server.api_spec import ApiPort, HttpPort, TcpPort
from auricle.server.drain import Drain, DrainStep
from auricle.server.net.listen import open_sockets
from auricle.server.net.tls import Certificate
from auricle.server.net.uvicorn_overrides.server import Server, uvicorn_config
from auricle.server.ops.agent_check import serve_agent
from auricle.server.service import Service
from auricle.values.errors import SetupError

_NO_PORTS: Mapping[ApiPort, Sequence[socket.socket]] = {}

_log = structlog.get_logger("auricle.server")


def agent_sockets(settings: ServerSettings) -> list[socket.socket]:
    """Return listening sockets for HAProxy's agent check; none if it is disabled.

    Raises:
        SetupError: The port is in use.
    """
    if (port := settings.agent_check_port) is None:
        return []
    return open_sockets(settings.host, port, "AURICLE_AGENT_CHECK_PORT")


async def serve(
    app: FastAPI,
    settings: ServerSettings,
    sockets: Sequence[socket.socket] | None = None,
    ports: Mapping[ApiPort, Sequence[socket.socket]] = _NO_PORTS,
) -> None:
    """Serve until a signal arrives and accepted work is done.

    Args:
        app: From :func:`auricle.server.app.create_app`.
        settings: The settings' server section.
        sockets: From :func:`listen`; closed on return.
        ports: The listening sockets of the APIs' ports, whose clients need neither keys nor TLS;
            closed on return.

    Raises:
        SetupError: The sockets can't be opened, the certificate can't be loaded, or the
            application can't start.
    """
    state: Service = app.state.auricle
    certificate = Certificate.of(settings)
    if certificate is not None:
        state.background_tasks.append(certificate.follow)
    if sockets is None:
        sockets = listen(settings)
    limited = {
        port: [LimitedListener.around(each, state.connection_limiter) for each in opened]
        for port, opened in ports.items()
    }
    for port, listening in limited.items():
        _attach(app, port, listening)
    of_ports = [each for listening in limited.values() for each in listening]
    plain = [each for port in limited if isinstance(port, HttpPort) for each in limited[port]]
    config = uvicorn_config(app)
    config.max_message_bytes = app.state.max_message_bytes
    server = Server(
        config,
        None if certificate is None else certificate.context,
        _ServerDrain(state, settings.drain_s).may_exit,
        plain,
    )
    if agent := agent_sockets(settings):
        state.background_tasks.append(partial(serve_agent, state, agent))
    sockets = [LimitedListener.around(listening, state.connection_limiter) for listening in sockets]
    try:
        await server.serve(sockets=list(sockets))
    except SystemExit as error:  # uvicorn exits if the application did not start
        raise state.setup_error or SetupError("The server failed to start.") from error
    finally:
        for each in (*sockets, *of_ports, *agent):
            each.close()


def _attach(app: FastAPI, port: ApiPort, sockets: Sequence[socket.socket]) -> None:
    """Serve a port of an API while the application runs, and announce it if it is configured."""
    if not sockets:
        return
    number = sockets[0].getsockname()[1]
    tasks = app.state.auricle.background_tasks
    match port:
        case HttpPort():
            app.state.port_apps[number] = port.app
        case TcpPort():
            tasks.append(partial(port.serve, sockets))
    if port.keyless.service_type:
        tasks.append(port.keyless.announcer(number).serve)


class _ServerDrain:
    """Drains a server after a signal, and decides when it may exit.

    Args:
        state: The application's parts.
        drain_s: Maximum wait for accepted work, in seconds.
    """

    def __init__(self, state: Service, drain_s: float) -> None:
        self._state = state
        self._drain_s = drain_s
        self._drain: Drain | None = None

    def may_exit(self, signals: int) -> bool:
        """Take the next step of the drain; return whether the server may exit."""
        state, now = self._state, time.monotonic()
        running_jobs = len(state.running.runner)
        if self._drain is None:
            self._drain = Drain(self._drain_s, now)
            state.drain()
            _log.info("draining", requests=len(state.requests), jobs=running_jobs)
        has_work = bool(
            state.requests or running_jobs or state.live.finishing or state.has_webhooks_to_send
        )
        step = self._drain.next_step(now, has_work=has_work, is_hurried=signals > 1)
        if step is DrainStep.GIVE_UP:
            state.end_requests()
            self._drain.gave_up()
        return step is DrainStep.LEAVE
