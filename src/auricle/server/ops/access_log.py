"""Counts and logs each request once, at its end, and cancels it when draining is over.

For requests without a valid key, only a few lines a minute are logged for each address, so that
trying keys can't fill the log. All of them are counted.
"""

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auricle.server.access.connection_limits import network_of
from auricle.server.http.client_address import client_address
from auricle.server.http.errors import CLIENT_LEFT_STATUS, UNMATCHED, refuse
from auricle.server.http.log_sampling import LineSampler
from auricle.server.http.request_log import request_log
from auricle.server.lifecycle import Lifecycle
from auricle.server.telemetry.metrics import Metrics
from auricle.values.errors import Draining

_PROBES = ("/livez", "/readyz", "/health", "/metrics")
"""Prefixes of routes that are polled; they are logged at debug level."""

_log = structlog.get_logger("auricle.server")


class AccessLogMiddleware:
    """ASGI middleware that counts, logs and cancels requests."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, metrics: Metrics) -> None:
        self._app = app
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._unauthorized = LineSampler()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, and record the outcome."""
        if scope["type"] == "websocket":
            await self._watch_socket(scope, receive, send)
            return
        began_at, status = time.monotonic(), CLIENT_LEFT_STATUS

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.in_progress.inc()
        try:
            with self._lifecycle.request_scope() as time_is_up:
                await self._app(scope, receive, noting_send)
            if time_is_up.cancelled_caught and status == CLIENT_LEFT_STATUS:
                request_log(scope).code = Draining.code
                response = refuse(scope, Draining())
                response.headers["connection"] = "close"
                await response(scope, receive, noting_send)
        finally:
            self._metrics.in_progress.dec()
            self._note(scope, status, time.monotonic() - began_at)

    async def _watch_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run a WebSocket; when draining is over, the server closes it with 1012."""
        began_at, status = time.monotonic(), CLIENT_LEFT_STATUS

        async def noting_send(message: Message) -> None:
            nonlocal status
            match message["type"]:
                case "websocket.accept":
                    status = 101
                case "websocket.http.response.start":
                    status = message["status"]
                case "websocket.close" if status == CLIENT_LEFT_STATUS:
                    status = 403
            await send(message)

        try:
            with self._lifecycle.request_scope():
                await self._app(scope, receive, noting_send)
        finally:
            self._note(scope, status, time.monotonic() - began_at)

    def _note(self, scope: Scope, status: int, duration_s: float) -> None:
        record, route = request_log(scope), _route(scope)
        method = scope.get("method", "GET")  # a WebSocket handshake is a GET
        self._metrics.count_request(method, route, status, record.code)
        sampled: dict[str, object] = {}
        if status == 401:
            address = client_address(scope)
            left_out = self._unauthorized.admit(network_of(address) or address, time.monotonic())
            if left_out is None:
                return
            sampled["address"] = None if address is None else str(address)
            if left_out:
                sampled["left_out"] = left_out
        log = _log.debug if route.startswith(_PROBES) else _log.info
        log(
            "request",
            route=route,
            status=status,
            duration_ms=round(duration_s * 1000, 1),
            **record.line(),
            **sampled,
        )


def _route(scope: Scope) -> str:
    """Return the matched route template; a raw path could have any value."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else UNMATCHED
