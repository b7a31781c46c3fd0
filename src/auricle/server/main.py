"""Runs the application under uvicorn, and ends it without losing what was accepted.

SIGTERM and SIGINT start draining: ``/readyz`` and new work answer 503 while accepted requests and
jobs are finished, for ``drain_s`` at most. Results of jobs can be fetched meanwhile. Requests that
are left get 503; jobs that are left are lost, and shown as such before the sockets close. Live
sessions are told to come back at once: a client that resumes loses nothing. A second signal does
not wait. The signal is not raised again afterwards, as uvicorn would: the caller still has its
workers to stop.
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

from auricle.config import ServerSettings
from auricle.errors import SetupError
from auricle.server.access.connection_limits import LimitedListener
from auricle.server.access.keyring import check_exposure
from auricle.server.api.ops.agent_check import serve_agent
from auricle.server.context import ServerState
from auricle.server.drain import Drain, DrainStep
from auricle.server.net.http_connection import MAX_HEAD_BYTES, HttpConnection
from auricle.server.net.listen import ACCEPTS_AT_ONCE, BACKLOG, open_sockets
from auricle.server.net.tls import HANDSHAKE_S, SHUTDOWN_S, Certificate
from auricle.server.net.websocket import MAX_MESSAGE_BYTES, WebSocketConnection
from auricle.server.transcription.background_jobs import lose_jobs

KEEP_ALIVE_S = 65  # longer than load balancers keep theirs (60 s), so that they close first
CLOSE_S = 2
"""How long connections have to close once nothing is in progress, or the drain time is over."""

_log = structlog.get_logger("auricle.server")


def listen(settings: ServerSettings) -> list[socket.socket]:
    """Return sockets that listen where the settings say; to be called before workers start.

    Raises:
        SetupError: The port is in use, the host is unknown, or it needs keys.
    """
    check_exposure(settings)
    return open_sockets(settings.host, settings.port, "AURICLE_PORT")


def agent_sockets(settings: ServerSettings) -> list[socket.socket]:
    """Return sockets that listen for HAProxy's agent check, if there is to be one.

    Raises:
        SetupError: The port is in use.
    """
    if (port := settings.agent_check_port) is None:
        return []
    return open_sockets(settings.host, port, "AURICLE_AGENT_CHECK_PORT")


async def serve(
    app: FastAPI, settings: ServerSettings, sockets: Sequence[socket.socket] | None = None
) -> None:
    """Serve until a signal comes and what was accepted is done.

    Args:
        app: From :func:`auricle.server.app.create_app`.
        settings: The server's section.
        sockets: From :func:`listen`; they are closed at the end.

    Raises:
        SetupError: The sockets or the certificate can't be had, or the application can't start.
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
    except SystemExit as error:  # uvicorn's way to say that the application did not start
        raise app.state.auricle.setup_error or SetupError("The server can't start.") from error
    finally:
        for found in (*sockets, *agent):
            found.close()


def uvicorn_config(app: FastAPI) -> uvicorn.Config:
    """Return how uvicorn is to be run."""
    return uvicorn.Config(
        app,
        http=HttpConnection,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ws=WebSocketConnection,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=None,  # not reading is our back-pressure, and pongs would wait with it
        ws_per_message_deflate=False,  # 95 ms on 2 MB of audio, for nothing
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
    """uvicorn's server, which drains before it stops, and waits for no handshake of TLS."""

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
        """Start the application, then listen: uvicorn can't say how long TLS may take.

        More connections may wait than are accepted at once.
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
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn's own
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal: it interrupts anything, so no more than that."""
        self._signals += 1

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether it is time to go."""
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
