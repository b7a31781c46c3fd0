"""Runs the application under uvicorn, and drains it before it exits.

SIGTERM and SIGINT start draining: ``/readyz`` and new work return 503 while accepted requests and
jobs finish, for at most ``drain_s``. Clients can fetch jobs' results meanwhile. After that,
unfinished requests return 503; unfinished jobs are lost, and are reported as lost before the
sockets close. Live clients are asked to reconnect at once; those that resume lose nothing. A second
signal ends draining. Unlike uvicorn, the server does not raise the signal again: the caller still
has to stop its workers.
"""

import asyncio
import socket
import time
from collections.abc import Sequence
from functools import partial
from types import FrameType
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from auricle.config.settings import ServerSettings
from auricle.errors import SetupError
from auricle.server.access.connection_limits import LimitedListener
from auricle.server.access.keyring import check_exposure
from auricle.server.api.ops.agent_check import serve_agent
from auricle.server.context import ServerState
from auricle.server.drain import Drain, DrainStep
from auricle.server.net.listen import ACCEPTS_AT_ONCE, BACKLOG, open_sockets
from auricle.server.net.tls import HANDSHAKE_S, SHUTDOWN_S, Certificate
from auricle.server.net.uvicorn_overrides.http_connection import MAX_HEAD_BYTES, HttpConnection
from auricle.server.net.uvicorn_overrides.websocket import MAX_MESSAGE_BYTES, WebSocketConnection
from auricle.server.transcription.background_jobs import lose_jobs

KEEP_ALIVE_S = 65  # longer than load balancers' 60 s, so that they close first
CLOSE_S = 2
"""Time that connections have to close, in seconds, once all work is done or ``drain_s`` is over."""

_log = structlog.get_logger("auricle.server")


def listen(settings: ServerSettings) -> list[socket.socket]:
    """Return listening sockets for the configured address. Call it before workers start.

    Raises:
        SetupError: The port is in use, the host is unknown, or the address requires keys.
    """
    check_exposure(settings)
    return open_sockets(settings.host, settings.port, "AURICLE_PORT")


def agent_sockets(settings: ServerSettings) -> list[socket.socket]:
    """Return listening sockets for HAProxy's agent check; none if it is disabled.

    Raises:
        SetupError: The port is in use.
    """
    if (port := settings.agent_check_port) is None:
        return []
    return open_sockets(settings.host, port, "AURICLE_AGENT_CHECK_PORT")


async def serve(
    app: FastAPI, settings: ServerSettings, sockets: Sequence[socket.socket] | None = None
) -> None:
    """Serve until a signal arrives and accepted work is done.

    Args:
        app: From :func:`auricle.server.app.create_app`.
        settings: The settings' server section.
        sockets: From :func:`listen`; closed on return.

    Raises:
        SetupError: The sockets can't be opened, the certificate can't be loaded, or the
            application can't start.
    """
    state: ServerState = app.state.auricle
    certificate = Certificate.of(settings)
    if certificate is not None:
        state.background_tasks.append(certificate.follow)
    if sockets is None:
        sockets = listen(settings)
    server = Server(uvicorn_config(app), state, settings.drain_s, certificate)
    if agent := agent_sockets(settings):
        state.background_tasks.append(partial(serve_agent, state, agent))
    sockets = [LimitedListener.around(found, state.gate) for found in sockets]
    try:
        await server.serve(sockets=list(sockets))
    except SystemExit as error:  # uvicorn exits if the application did not start
        raise app.state.auricle.setup_error or SetupError("The server failed to start.") from error
    finally:
        for found in (*sockets, *agent):
            found.close()


def uvicorn_config(app: FastAPI) -> uvicorn.Config:
    """Return the configuration of uvicorn."""
    return uvicorn.Config(
        app,
        http=HttpConnection,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ws=WebSocketConnection,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=None,  # we stop reading as back-pressure, which would delay pongs
        ws_per_message_deflate=False,  # costs 95 ms for 2 MB of audio and saves nothing
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=CLOSE_S,
        backlog=ACCEPTS_AT_ONCE,
    )


class Server(uvicorn.Server):
    """A uvicorn server that drains before it stops, and sets timeouts for TLS."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        drain_s: float,
        certificate: Certificate | None,
    ) -> None:
        super().__init__(config)
        self._state = state
        self._drain_s = drain_s
        self._certificate = certificate
        self._signals = 0
        self._drain: Drain | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen.

        uvicorn has no settings for TLS timeouts, and one number for both backlogs: the sockets'
        backlog is larger than the number of connections accepted at once.
        """
        await super().startup(sockets=[])
        tls: dict[str, Any] = {}
        if self._certificate is not None:
            tls["ssl"] = self._certificate.context
            tls["ssl_handshake_timeout"] = HANDSHAKE_S
            tls["ssl_shutdown_timeout"] = SHUTDOWN_S
        loop = asyncio.get_running_loop()
        for found in sockets or ():
            listener = await loop.create_server(
                self._connection, sock=found, backlog=self.config.backlog, **tls
            )
            self.servers.append(listener)
            found.listen(BACKLOG)

    def _connection(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # as in uvicorn
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Count a signal; :meth:`on_tick` acts on it."""
        self._signals += 1

    async def on_tick(self, counter: int) -> bool:
        """Check, ten times a second, whether to drain or to exit."""
        if self._signals:
            self._step_drain(time.monotonic())
        return await super().on_tick(counter)

    def _step_drain(self, now: float) -> None:
        state = self._state
        unfinished, uncollected = state.jobs.unfinished(), state.jobs.uncollected(now)
        if self._drain is None:
            self._drain = Drain(self._drain_s, now)
            state.drain()
            _log.info("draining", requests=len(state.requests), jobs=len(unfinished))
        has_work = bool(state.requests or unfinished or uncollected)
        match self._drain.next_step(now, has_work=has_work, is_hurried=self._signals > 1):
            case DrainStep.GIVE_UP:
                state.end_requests()
                lost_jobs = lose_jobs(state, now)
                for record in uncollected:
                    _log.warning("result_not_fetched", **record.ids())
                self._drain.gave_up(now, lost_jobs=lost_jobs)
            case DrainStep.LEAVE:
                self.should_exit = True
