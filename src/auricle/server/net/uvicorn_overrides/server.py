"""uvicorn's server, with TLS timeouts, two backlogs, and an exit that its owner decides.

asyncio allocates a 256 KiB read buffer per TLS connection before any authentication: a thousand
silent connections would hold 256 MB. A TLS record has at most 16 KiB, so a buffer of that size is
enough.
"""

import asyncio
import asyncio.sslproto
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from auricle.server.http.port_apps import PORT_APP
from auricle.server.net.listen import ACCEPTS_AT_ONCE, BACKLOG
from auricle.server.net.uvicorn_overrides.http_connection import MAX_HEAD_BYTES, HttpConnection
from auricle.server.net.uvicorn_overrides.websocket import (
    MAX_MESSAGE_BYTES,
    AppConfig,
    WebSocketConnection,
)

KEEP_ALIVE_S = 65  # longer than load balancers' 60 s, so that they close first
CLOSE_S = 2
"""Time that connections have to close when the server exits, in seconds."""
HANDSHAKE_S = 10.0
"""Timeout for the TLS handshake, in seconds; asyncio's default is 60."""
SHUTDOWN_S = 60.0
"""Timeout for the client to read the rest of its response and close TLS, in seconds."""

NO_PORT_APPS: Mapping[socket.socket, ASGIApp] = {}

_TLS_READ_BYTES = 16 * 1024


def uvicorn_config(app: FastAPI) -> AppConfig:
    """Return the configuration of uvicorn."""
    return AppConfig(
        app,
        http=HttpConnection,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ws=WebSocketConnection,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=None,  # we stop reading as back-pressure, which would delay pongs
        ws_per_message_deflate=False,  # costs 95 ms for 2 MB of audio and saves nothing
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=CLOSE_S,
        backlog=ACCEPTS_AT_ONCE,
    )


class Server(uvicorn.Server):
    """A uvicorn server that exits only when its owner agrees.

    Args:
        config: From :func:`uvicorn_config`.
        tls: Context of the listening sockets; ``None`` serves plain HTTP.
        may_exit: Called with the number of signals, ten times a second from the first one on;
            returns whether to exit now.
        port_apps: Further listening sockets, which serve plain HTTP in any case, each with the
            application of its port.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        tls: ssl.SSLContext | None = None,
        may_exit: Callable[[int], bool] = bool,
        port_apps: Mapping[socket.socket, ASGIApp] = NO_PORT_APPS,
    ) -> None:
        super().__init__(config)
        if not config.loaded:
            config.load()
        self._tls = tls
        self._may_exit = may_exit
        self._port_apps = port_apps
        self._signals = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen.

        uvicorn has no settings for TLS timeouts, and one number for both backlogs: the sockets'
        backlog is larger than the number of connections accepted at once.
        """
        await super().startup(sockets=[])
        options: dict[str, Any] = {}
        if self._tls is not None:
            asyncio.sslproto.SSLProtocol.max_size = _TLS_READ_BYTES
            options["ssl"] = self._tls
            options["ssl_handshake_timeout"] = HANDSHAKE_S
            options["ssl_shutdown_timeout"] = SHUTDOWN_S
        loop = asyncio.get_running_loop()
        served: list[tuple[socket.socket, dict[str, Any], dict[str, Any]]] = [
            *((listening, options, {}) for listening in sockets or ()),
            *((listening, {}, {PORT_APP: app}) for listening, app in self._port_apps.items()),
        ]
        for listening, tls, state in served:
            connection = partial(self._connection, state)
            listener = await loop.create_server(
                connection, sock=listening, backlog=self.config.backlog, **tls
            )
            self.servers.append(listener)
            listening.listen(BACKLOG)

    def _connection(self, state: dict[str, Any]) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # as in uvicorn
            config=self.config, server_state=self.server_state, app_state=state
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Count a signal; :meth:`on_tick` acts on it."""
        self._signals += 1

    async def on_tick(self, counter: int) -> bool:
        """Check, ten times a second, whether to exit."""
        if self._signals and self._may_exit(self._signals):
            self.should_exit = True
        return await super().on_tick(counter)
