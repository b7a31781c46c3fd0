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

from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from auricle.server.access.connection_limits import ConnectionLimitMiddleware
from auricle.server.access.origins import TrustedHostMiddleware, cross_origin
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
from auricle.server.ops.documentation import documentation_router
from auricle.server.ops.pages import pages_router
from auricle.server.service import Service
from auricle.server.telemetry import metrics


class _Application(FastAPI):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; add the request's id to the response of any layer."""
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


def create_app(service: Service) -> FastAPI:
    """Return the application of a server; imports the routes of its APIs, which takes 0.5 s."""
    settings = service.settings
    app = _Application(
        title="Auricle",
        summary="Self-hosted speech to text that does not go down",
        version=version("auricle"),
        docs_url=None,  # its page loads scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=EXCEPTION_HANDLERS,
    )
    app.state.auricle = service
    mounted = [api.mount(service) for api in service.apis]
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
    app.add_middleware(cross_origin, allowed=service.origins.allowed, exposed_headers=exposed)
    app.add_middleware(TrustedHostMiddleware, origins=service.origins)
    app.add_middleware(PortApps, apps=app.state.port_apps)
    app.add_middleware(ConnectionLimitMiddleware, limiter=service.connection_limiter)
    app.add_middleware(LingeringClose)
    app.add_middleware(AccessLogMiddleware, server=service)
    if settings.hsts_s:
        app.add_middleware(StrictTransport, max_age_s=settings.hsts_s)
    app.add_middleware(TrustedProxies, trusted=settings.trusted_proxies)
    return app


async def _not_found(otherwise: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    answer = refuse_socket if scope["type"] == "websocket" else otherwise
    await answer(scope, receive, send)
