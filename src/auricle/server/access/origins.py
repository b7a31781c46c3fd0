"""Checks of the Origin and Host headers.

A browser sends requests for any page and names the page's origin in ``Origin``. Pages of the server
itself and of ``AURICLE_ALLOWED_ORIGINS`` are accepted, over HTTP (CORS) and every kind of
WebSocket. Pages from other origins, including the opaque origin ``null``, are rejected. There are
no cookies, so a browser adds no credentials to a page's request; a password, which it might add, is
accepted only where :meth:`.Service.admit` says so, for POST.

Without keys that is not enough: any site could point one of its names at this machine (DNS
rebinding), and its pages would then have the server's origin. So a server without keys accepts
only Host names that no other site can own. With keys, such a page lacks the key.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from auricle.config.sections.server import ORIGIN, ServerSettings
from auricle.protocol.ignored import WARNINGS_HEADER
from auricle.server.http.errors import refuse
from auricle.server.http.request_log import REQUEST_ID, request_log
from auricle.values.errors import ForbiddenHost, ForbiddenOrigin

_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_HTTP = {"ws": "http", "wss": "https"}
"""The page's scheme for each WebSocket scheme."""
_LOCAL = ("localhost", ".localhost")  # RFC 6761 §6.3
_PRIVATE = (".local", ".internal", ".home.arpa")
"""Suffixes that do not exist in public DNS: RFC 6762, ICANN 2024, RFC 8375."""
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_EXPOSED_HEADERS = ("retry-after", REQUEST_ID, WARNINGS_HEADER)
"""Response headers that pages from other origins may read, in addition to the safelisted ones."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Accepted origins and host names.

    Attributes:
        allowed: Other origins whose pages are accepted, as browsers write them.
        has_keys: Whether requests need a key; if not, the Host header is checked.
        names: Accepted host names in addition to loopback names.
        is_open: Whether the server serves other machines without keys; private names and IP
            addresses are then accepted too.
    """

    allowed: frozenset[str]
    has_keys: bool
    names: frozenset[str]
    is_open: bool

    @classmethod
    def of(cls, settings: ServerSettings) -> Self:
        """Create the checks from the settings."""
        allowed = [
            origin[2] for origin in map(ORIGIN.fullmatch, settings.allowed_origins) if origin
        ]
        return cls(
            allowed=frozenset(settings.allowed_origins),
            has_keys=settings.has_keys,
            names=frozenset(
                name.lower().strip("[]") for name in (settings.host, socket.gethostname(), *allowed)
            ),
            is_open=settings.insecure_no_auth,
        )

    def check_origin(self, headers: Headers, scheme: str) -> None:
        """Reject a request that a browser sends for a page from another origin.

        Args:
            headers: The request's headers.
            scheme: The request's scheme: ``http``, ``https``, ``ws`` or ``wss``.

        Raises:
            ForbiddenOrigin: The page's origin is not accepted.
        """
        origin = headers.get("origin")
        if origin is None or origin in self.allowed:  # absent: not a browser, or a plain GET
            return
        if not _is_own(origin, _HTTP.get(scheme, scheme), headers.get("host", "")):
            raise ForbiddenOrigin("Pages from other origins are rejected.")

    def check_host(self, headers: Headers) -> None:
        """On a server without keys, reject a Host name that another site could own.

        Raises:
            ForbiddenHost: The name is not accepted.
        """
        if self.has_keys or (name := headers.get("host")) is None:  # browsers always send it
            return
        host = _HOST.fullmatch(name.lower())
        if host is None or not self._is_own_name(host[1].strip("[]").removesuffix(".")):
            raise ForbiddenHost(
                "Unknown host name. Without keys this server accepts 127.0.0.1 and localhost; the "
                "operator can add names: AURICLE_ALLOWED_ORIGINS=http://NAME:PORT."
            )

    def _is_own_name(self, name: str) -> bool:
        if name in self.names or name.endswith(_LOCAL[1]) or name == _LOCAL[0]:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback or self.is_open  # can't be rebound
        except ValueError:
            return self.is_open and ("." not in name or name.endswith(_PRIVATE))


def _is_own(origin: str, scheme: str, host: str) -> bool:
    """Return whether an origin is the server's: its scheme, host and port match the request's."""
    page, here = ORIGIN.fullmatch(origin.lower()), _HOST.fullmatch(host.lower())
    if page is None or here is None or page[2] != here[1]:
        return False
    port = page[3] or _DEFAULT_PORTS.get(page[1])
    if (page[1], scheme) == ("https", "http") and here[2] is None:
        return True  # an untrusted proxy terminates TLS, and may omit the port from Host
    if (page[1], scheme) == ("https", "http"):
        return here[2] == port
    return page[1] == scheme and port == (here[2] or _DEFAULT_PORTS.get(scheme))


class TrustedHostMiddleware:
    """ASGI middleware that rejects unknown Host names; see the module."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app, self._origins = app, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application if the Host name is accepted."""
        try:
            self._origins.check_host(Headers(scope=scope))
        except ForbiddenHost as error:
            request_log(scope).code = error.code
            await refuse(scope, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def cross_origin(
    app: ASGIApp, allowed: frozenset[str], exposed_headers: Sequence[str] = ()
) -> ASGIApp:
    """Add CORS for the allowed origins to an application.

    All request headers are allowed: each dialect's clients send different ones, and the server
    ignores those it does not know.

    Args:
        app: The application.
        allowed: The origins, as browsers write them.
        exposed_headers: Headers of the APIs' responses that pages may read.
    """
    if not allowed:
        return app
    return CORSMiddleware(
        app,
        allow_origins=allowed,
        allow_methods=_METHODS,
        allow_headers=("*",),
        expose_headers=(*_EXPOSED_HEADERS, *exposed_headers),
        allow_private_network=True,
    )
