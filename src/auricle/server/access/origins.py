"""Whose pages may use the service, and under which names it may be asked for.

A browser sends whatever any page wants, wherever that comes from, and says whose page it was in
``Origin``. The server's own pages and those in ``AURICLE_ALLOWED_ORIGINS`` may use it, over HTTP
(CORS) and over each kind of WebSocket alike; others, and those that can't be named (``null``), may
not. There are no cookies, so nothing comes by itself with a page's request but the address.

Without keys that is not enough: any site could point a name of its own at this machine (DNS
rebinding), and would then be of the server's own origin. So a server without keys has to be asked
for under a name that can't be anybody else's, whatever is asked. With keys such a page has none.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Self

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from auricle.config import ORIGIN, ServerSettings
from auricle.errors import ForbiddenHost, ForbiddenOrigin
from auricle.protocol.ignored import WARNINGS_HEADER
from auricle.server.http.errors import refuse
from auricle.server.http.request_log import REQUEST_ID, request_log

_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_HTTP = {"ws": "http", "wss": "https"}
"""What a page's own scheme is, if its WebSocket has this one."""
_LOCAL = ("localhost", ".localhost")  # RFC 6761 §6.3
_PRIVATE = (".local", ".internal", ".home.arpa")
"""Names that no public server answers for: RFC 6762, ICANN 2024, RFC 8375."""
_METHODS = ("GET", "HEAD", "POST", "DELETE")
_SHOWN = ("retry-after", REQUEST_ID, "dg-request-id", "dg-error", WARNINGS_HEADER)
"""What a page of another origin may read of an answer's head, beyond its type."""


@dataclass(frozen=True, slots=True)
class Origins:
    """What the settings say of pages and names.

    Attributes:
        allowed: Other origins whose pages may use the service, as browsers write them.
        has_keys: Whether a key is asked for; else the server must be asked for by its own names.
        names: Names that are its own beyond those of loopback.
        is_open: It serves other machines without keys, so private names and addresses do.
    """

    allowed: frozenset[str]
    has_keys: bool
    names: frozenset[str]
    is_open: bool

    @classmethod
    def of(cls, settings: ServerSettings) -> Self:
        """Read the settings."""
        allowed = [found[2] for found in map(ORIGIN.fullmatch, settings.allowed_origins) if found]
        return cls(
            allowed=frozenset(settings.allowed_origins),
            has_keys=settings.has_keys,
            names=frozenset(
                name.lower().strip("[]") for name in (settings.host, socket.gethostname(), *allowed)
            ),
            is_open=settings.insecure_no_auth,
        )

    def check_origin(self, headers: Headers, scheme: str) -> None:
        """Refuse what a page of another origin makes a browser send.

        Args:
            headers: The request's.
            scheme: Its own, one of a WebSocket or of HTTP.

        Raises:
            ForbiddenOrigin: The request comes from such a page.
        """
        origin = headers.get("origin")
        if origin is None or origin in self.allowed:  # without: no browser, or a page that reads
            return
        if not _is_own(origin, _HTTP.get(scheme, scheme), headers.get("host", "")):
            raise ForbiddenOrigin("Pages of other sites may not use this service.")

    def check_host(self, headers: Headers) -> None:
        """Refuse a request, of a server without keys, for a name that may be somebody else's.

        Raises:
            ForbiddenHost: It asks for such a name.
        """
        if self.has_keys or (asked := headers.get("host")) is None:  # browsers always say it
            return
        host = _HOST.fullmatch(asked.lower())
        if host is None or not self._is_own_name(host[1].strip("[]").removesuffix(".")):
            raise ForbiddenHost(
                "Without keys this server is to be asked for as 127.0.0.1 or localhost; its "
                "operator can add names: AURICLE_ALLOWED_ORIGINS=http://NAME:PORT."
            )

    def _is_own_name(self, name: str) -> bool:
        if name in self.names or name.endswith(_LOCAL[1]) or name == _LOCAL[0]:
            return True
        try:
            return ipaddress.ip_address(name).is_loopback or self.is_open  # nobody rebinds those
        except ValueError:
            return self.is_open and ("." not in name or name.endswith(_PRIVATE))


def _is_own(origin: str, scheme: str, host: str) -> bool:
    """Return whether a page is the server's own: of the scheme, name and port that it asks."""
    page, here = ORIGIN.fullmatch(origin.lower()), _HOST.fullmatch(host.lower())
    if page is None or here is None or page[2] != here[1]:
        return False
    port = page[3] or _DEFAULT_PORTS.get(page[1])
    if (page[1], scheme) == ("https", "http") and here[2] is None:
        return True  # a proxy ends TLS, isn't trusted to say so, and may leave its port out
    if (page[1], scheme) == ("https", "http"):
        return here[2] == port
    return page[1] == scheme and port == (here[2] or _DEFAULT_PORTS.get(scheme))


class TrustedHostMiddleware:
    """ASGI middleware: refuses requests for other names; see the module."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app, self._origins = app, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, unless it is asked for under another name."""
        if scope["type"] != "lifespan":
            try:
                self._origins.check_host(Headers(scope=scope))
            except ForbiddenHost as error:
                request_log(scope).code = error.code
                await refuse(scope, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def cross_origin(app: ASGIApp, allowed: frozenset[str]) -> ASGIApp:
    """Return an application that browsers let the pages of other origins use.

    Any header may come: each dialect's clients have their own, and they are read by name only.
    """
    if not allowed:
        return app
    return CORSMiddleware(
        app,
        allow_origins=allowed,
        allow_methods=_METHODS,
        allow_headers=("*",),
        expose_headers=_SHOWN,
        allow_private_network=True,
    )
