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

import anyio
import structlog
from starlette.types import ASGIApp

from auricle.config.sections.server import ServerSettings
from auricle.server.access.connection_limits import LimitedListener
from auricle.server.api_spec import ApiPort, HttpPort, TcpPort
from auricle.server.app import Application
from auricle.server.drain import Drain, DrainStep
from auricle.server.net.listen import open_sockets
from auricle.server.net.tls import Certificate
from auricle.server.net.uvicorn_overrides.server import Server, uvicorn_config
from auricle.server.ops.agent_check import line_of, serve_agent
from auricle.server.service import Service

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
    app: Application,
    sockets: Sequence[socket.socket],
    ports: Mapping[ApiPort, Sequence[socket.socket]] = _NO_PORTS,
) -> None:
    """Serve until a signal arrives and accepted work is done.

    Args:
        app: From :func:`auricle.server.app.create_app`.
        sockets: From :func:`.exposure.listen`; closed on return.
        ports: The listening sockets of the APIs' ports, whose clients need neither keys nor TLS;
            closed on return.

    Raises:
        SetupError: The socket of the agent check can't be opened, or the certificate can't be
            loaded.
    """
    service = app.service
    settings = service.settings.server
    certificate = Certificate.of(settings)
    limited = {
        port: [LimitedListener.around(each, service.access.connection_limiter) for each in opened]
        for port, opened in ports.items()
    }
    of_ports = [each for listening in limited.values() for each in listening]
    port_apps: Mapping[socket.socket, ASGIApp] = {
        listening: port.app
        for port, opened in limited.items()
        if isinstance(port, HttpPort)
        for listening in opened
    }
    config = uvicorn_config(app)
    config.max_message_bytes = app.apis.max_message_bytes
    server = Server(
        config,
        None if certificate is None else certificate.context,
        _ServerDrain(service).may_exit,
        port_apps,
    )
    agent = agent_sockets(settings)
    sockets = [
        LimitedListener.around(listening, service.access.connection_limiter)
        for listening in sockets
    ]
    try:
        async with anyio.create_task_group() as tasks:
            if certificate is not None:
                tasks.start_soon(certificate.follow)
            if agent:
                transcriber = service.recognition.transcriber
                line = partial(line_of, transcriber, service.lifecycle, service.live)
                tasks.start_soon(serve_agent, line, agent)
            for port, listening in limited.items():
                if listening and isinstance(port, TcpPort):
                    tasks.start_soon(port.serve, listening)
            for task in app.apis.tasks:
                tasks.start_soon(task)
            await server.serve(sockets=list(sockets))
            tasks.cancel_scope.cancel()
    finally:
        for each in (*sockets, *of_ports, *agent):
            each.close()


class _ServerDrain:
    """Drains a server after a signal, and decides when it may exit."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._drain: Drain | None = None

    def may_exit(self, signals: int) -> bool:
        """Take the next step of the drain; return whether the server may exit."""
        service, now = self._service, time.monotonic()
        requests, jobs = service.lifecycle.requests, len(service.jobs.runner)
        if self._drain is None:
            self._drain = Drain(service.settings.server.drain_s, now)
            service.drain()
            _log.info("draining", requests=requests, jobs=jobs)
        has_webhooks = service.jobs.webhooks.has_work
        has_work = bool(requests or jobs or service.live.finishing or has_webhooks)
        step = self._drain.next_step(now, has_work=has_work, is_forced=signals > 1)
        if step is DrainStep.GIVE_UP:
            service.lifecycle.end_requests()
            self._drain.gave_up()
        return step is DrainStep.LEAVE
