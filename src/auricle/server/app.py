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

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from auricle.server.access.connection_limits import ConnectionLimitMiddleware
from auricle.server.access.origins import TrustedHostMiddleware, cross_origin
from auricle.server.api_spec import ApiRoutes, MountedApi
from auricle.server.http.client_address import TrustedProxies
from auricle.server.http.errors import EXCEPTION_HANDLERS, ErrorBoundaryMiddleware
from auricle.server.http.openapi import complete
from auricle.server.http.port_apps import PortApps
from auricle.server.http.request_log import with_request_id
from auricle.server.http.selective_route import add_alternatives, is_selective
from auricle.server.http.uniform_routes import refuse_socket, serve_uniformly
from auricle.server.net.hsts import StrictTransport
from auricle.server.net.lingering import LingeringClose
from auricle.server.ops import health
from auricle.server.ops.access_log import AccessLogMiddleware
from auricle.server.service import Service
from auricle.server.telemetry import metrics


class Application(FastAPI):
    """The application of a server.

    Args:
        service: The parts of the server.
        apis: What its APIs add.
    """

    def __init__(self, service: Service, apis: MountedApi) -> None:
        super().__init__(
            title="Auricle",
            summary="Self-hosted speech to text that does not go down",
            version=version("auricle"),
            docs_url=None,  # its page loads scripts from a CDN
            redoc_url=None,
            redirect_slashes=False,
            exception_handlers=EXCEPTION_HANDLERS,
        )
        self.service = service
        self.apis = apis
        self.state.refusals = apis.refusals  # handlers of errors have the ASGI scope only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; add the request's id to the response of any layer."""
        answering = with_request_id(scope, send)
        await serve_uniformly(super().__call__, scope, receive, answering)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of all routes, generated on first use."""
        if self.openapi_schema:
            return self.openapi_schema
        document = complete(super().openapi(), has_keys=self.service.settings.server.has_keys)
        add_alternatives(document, filter(is_selective, (each.router for each in self.apis.routes)))
        return document


def create_app(service: Service) -> Application:
    """Return the application of a server; imports the routes of its APIs, which takes 0.5 s."""
    settings = service.settings.server
    apis = MountedApi.all_of(api.mount(service).titled(api.title) for api in service.apis)
    app = Application(service, apis)
    _include(app, apis.routes)
    for router in (health.routes(service), metrics.routes(service.metrics, service.access.keyring)):
        app.include_router(router, tags=["Health"])
    app.router.default = partial(_not_found, app.router.default)
    # The last middleware added is the outermost.
    app.add_middleware(ErrorBoundaryMiddleware)
    app.add_middleware(
        cross_origin, allowed=service.access.origins.allowed, exposed_headers=apis.exposed_headers
    )
    app.add_middleware(TrustedHostMiddleware, origins=service.access.origins)
    app.add_middleware(PortApps)
    app.add_middleware(ConnectionLimitMiddleware, limiter=service.access.connection_limiter)
    app.add_middleware(LingeringClose)
    app.add_middleware(AccessLogMiddleware, lifecycle=service.lifecycle, metrics=service.metrics)
    if settings.hsts_s:
        app.add_middleware(StrictTransport, max_age_s=settings.hsts_s)
    app.add_middleware(TrustedProxies, trusted=settings.trusted_proxies)
    return app


def _include(app: FastAPI, all_routes: Sequence[ApiRoutes]) -> None:
    """Add the routes of the APIs, those of certain clients first."""
    for routes in sorted(all_routes, key=lambda each: not is_selective(each.router)):
        app.include_router(
            routes.router,
            prefix=routes.prefix,
            tags=[routes.tag],
            include_in_schema=routes.is_listed and not is_selective(routes.router),
        )


async def _not_found(otherwise: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    answer = refuse_socket if scope["type"] == "websocket" else otherwise
    await answer(scope, receive, send)
