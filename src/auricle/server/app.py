"""The HTTP application: its routes, and the middleware around them.

::

    TrustedProxies            sets client address and scheme from trusted proxies' headers
      AccessLogMiddleware       counts and logs each request
        LingeringClose            delivers a response to a client that still sends its body
          ConnectionLimitMiddleware rejects requests above the connection limits
            PortApps                  passes on the connections of APIs' ports
            TrustedHostMiddleware     rejects unknown host names if there are no keys
              cross_origin              sets the CORS headers
                ErrorBoundaryMiddleware   returns ``internal`` for unexpected exceptions
                  errors.py                 returns our errors, 404 and 405 as JSON
                    routes

WebSockets pass LingeringClose and the last three unchanged: their handlers send errors themselves.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auricle.audio.opus import find_libopus
from auricle.config.settings import Settings
from auricle.engines.models import Models, ModelTable
from auricle.server.access.connection_limits import ConnectionLimitMiddleware
from auricle.server.access.key_style import KeyStyle
from auricle.server.access.origins import TrustedHostMiddleware, cross_origin
from auricle.server.api_spec import ApiSpec
from auricle.server.http.client_address import TrustedProxies
from auricle.server.http.errors import EXCEPTION_HANDLERS, ErrorBoundaryMiddleware
from auricle.server.http.openapi import complete
from auricle.server.http.port_apps import PortApps
from auricle.server.http.request_log import with_request_id
from auricle.server.http.selective_route import add_alternatives, is_selective
from auricle.server.http.uniform_routes import refuse_socket, serve_uniformly
from auricle.server.live.admission.memory import Machine
from auricle.server.net.hsts import StrictTransport
from auricle.server.net.lingering import LingeringClose
from auricle.server.ops import health
from auricle.server.ops.access_log import AccessLogMiddleware
from auricle.server.ops.documentation import documentation_router
from auricle.server.ops.pages import pages_router
from auricle.server.service import Service
from auricle.server.startup import run
from auricle.server.telemetry import metrics
from auricle.values.errors import SetupError
from auricle.values.speakers import NO_SPEAKERS, Speakers
from auricle.values.transcriber import (
    Decoder,
    FrameDecoder,
    PartialTranscriber,
    Transcriber,
    TurnJudge,
)


class _Application(FastAPI):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; add the request's id to the response of any layer."""
        if scope["type"] == "lifespan":
            send = partial(_send_lifespan, self.state.auricle, send)
        answering = with_request_id(scope, send)
        await serve_uniformly(super().__call__, scope, receive, answering)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of all routes, generated on first use."""
        if self.openapi_schema:
            return self.openapi_schema
        server: Service = self.state.auricle
        document = complete(super().openapi(), has_keys=server.settings.has_keys)
        add_alternatives(document, self.state.selective_routers)
        return document


def create_app(
    transcriber: Transcriber,
    decoder: Decoder,
    settings: Settings,
    partials: PartialTranscriber | None = None,
    models: Models | None = None,
    speakers: Speakers = NO_SPEAKERS,
    turns: TurnJudge | None = None,
    frames: FrameDecoder | None = None,
    machine: Machine | None = None,
    *,
    apis: Sequence[ApiSpec],
) -> FastAPI:
    """Return the application. It uses the pools, but the caller starts and stops them.

    Args:
        transcriber: Runs the jobs.
        decoder: Reads audio files.
        settings: All settings.
        partials: Recognises partials; ``None``: the transcriber does.
        models: The transcriber's models; ``None``: those of the settings.
        speakers: Distinguishes speakers.
        turns: Judges the ends of turns; ``None``: silence ends utterances.
        frames: Decodes live MP3, FLAC and AAC; ``None``: they are rejected.
        machine: What its capacity of live speech depends on; ``None``: unknown.
        apis: The APIs to serve.

    Raises:
        SetupError: A model, a key, the key file or the libopus in the settings is unusable.
    """
    libopus = find_libopus(settings.decode.libopus)
    if models is None:
        models = ModelTable.of(settings.model, frozenset().union(*(api.products for api in apis)))
    server = Service.build(
        transcriber,
        decoder,
        models,
        settings,
        libopus,
        machine or Machine(),
        KeyStyle.all_of(api.key_style for api in apis),
    )
    server.live.partials = partials
    if partials is not None:
        server.metrics.add_pool("partials", partials.stats)
    server.speakers = server.live.speakers = speakers
    if speakers.is_available:
        server.metrics.add_pool("speakers", speakers.stats)
    server.live.judge = turns
    if turns is not None:
        server.metrics.add_pool("turns", turns.stats)
    server.live.frames = frames
    if frames is not None:
        server.metrics.add_pool("frames", frames.stats)
    app = _Application(
        title="Auricle",
        summary="Self-hosted speech to text that does not go down",
        version=version("auricle"),
        lifespan=_lifespan,
        docs_url=None,  # its page loads scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=EXCEPTION_HANDLERS,
    )
    app.state.auricle = server
    mounted = [api.mount(server) for api in apis]
    server.job_answers = {
        name: answers for api in mounted for name, answers in api.job_answers.items()
    }
    app.state.refusals = {
        start: refusal for api in mounted for start, refusal in api.refusals.items()
    }
    app.state.ports = [port for api in mounted for port in api.ports]
    app.state.port_apps = {}
    app.state.max_message_bytes = {
        path: limit for api in mounted for path, limit in api.max_message_bytes.items()
    }
    exposed = [header for api in mounted for header in api.exposed_headers]
    all_routes = [routes for api in mounted for routes in api.routes]
    app.state.selective_routers = [each.router for each in all_routes if is_selective(each.router)]
    for router in app.state.selective_routers:
        app.include_router(router, include_in_schema=False)
    for routes in all_routes:
        if not is_selective(routes.router):
            app.include_router(
                routes.router,
                prefix=routes.prefix,
                tags=[routes.tag],
                include_in_schema=routes.is_listed,
            )
    for router in (health.router, metrics.router):
        app.include_router(router, tags=["Health"])
    app.include_router(pages_router())
    app.include_router(documentation_router())
    app.router.default = partial(_not_found, app.router.default)
    # The last middleware added is the outermost.
    app.add_middleware(ErrorBoundaryMiddleware)
    app.add_middleware(cross_origin, allowed=server.origins.allowed, exposed_headers=exposed)
    app.add_middleware(TrustedHostMiddleware, origins=server.origins)
    app.add_middleware(PortApps, apps=app.state.port_apps)
    app.add_middleware(ConnectionLimitMiddleware, limiter=server.connection_limiter)
    app.add_middleware(LingeringClose)
    app.add_middleware(AccessLogMiddleware, server=server)
    if settings.server.hsts_s:
        app.add_middleware(StrictTransport, max_age_s=settings.server.hsts_s)
    app.add_middleware(TrustedProxies, trusted=settings.server.trusted_proxies)
    return app


async def _send_lifespan(server: Service, send: Send, message: Message) -> None:
    """Send a message of the lifespan, without the traceback of a start that can't succeed.

    The caller raises the ``SetupError``, whose message says what to do.
    """
    if message["type"] == "lifespan.startup.failed" and server.setup_error is not None:
        message = {"type": message["type"]}
    await send(message)


async def _not_found(otherwise: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    answer = refuse_socket if scope["type"] == "websocket" else otherwise
    await answer(scope, receive, send)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    server: Service = app.state.auricle
    try:
        async with run(server):
            yield
    except SetupError as error:
        server.setup_error = error  # uvicorn only reports that the start failed
        raise
