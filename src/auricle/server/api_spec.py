"""What the server knows of an API.

Each folder of :mod:`auricle.apis` has a module ``spec`` whose ``SPEC`` describes one API;
:mod:`auricle.apis.registry` finds them. Specs are light to import, because ``auricle doctor`` reads
them without the server's packages: ``mount`` imports the routes.
"""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from socket import socket
from typing import TYPE_CHECKING, Any

from auricle.config.settings import Settings
from auricle.protocol.client_profile import ClientProfile
from auricle.server.access.key_style import BEARER, KeyStyle
from auricle.values.types import RESERVED_CLIENTS, ClientId

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.types import ASGIApp

    from auricle.ledger.databases.database import Database
    from auricle.server.access.keyless_port import KeylessPort
    from auricle.server.http.errors import Refusal
    from auricle.server.job_answers import JobAnswers
    from auricle.server.live.followers import FollowerContext, SessionFollowers
    from auricle.server.recognition import Recognition
    from auricle.server.result_keepers import ResultKeeper
    from auricle.server.service import Service

    OpenFollowers = Callable[[FollowerContext], AbstractAsyncContextManager[SessionFollowers]]


@dataclass(frozen=True, slots=True)
class ApiRoutes:
    """Routes of an API.

    Attributes:
        router: The routes.
        prefix: Precedes their paths.
        tag: Their heading in the OpenAPI document; empty: the title of the API.
        is_listed: Whether the OpenAPI document lists them.
    """

    router: "APIRouter"
    prefix: str = ""
    tag: str = ""
    is_listed: bool = True


@dataclass(frozen=True, slots=True)
class HttpPort:
    """A port whose connections the HTTP server passes to an application of the API.

    Attributes:
        keyless: Its settings.
        app: Serves HTTP requests and WebSockets of the port.
    """

    keyless: "KeylessPort"
    app: "ASGIApp"


@dataclass(frozen=True, slots=True)
class TcpPort:
    """A port of a protocol that is not HTTP.

    Attributes:
        keyless: Its settings.
        serve: Serves the clients of listening sockets until cancelled, and closes the sockets.
    """

    keyless: "KeylessPort"
    serve: Callable[[Sequence[socket]], Coroutine[Any, Any, None]]


ApiPort = HttpPort | TcpPort


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedApi:
    """What an API adds to one server.

    Attributes:
        routes: Its routes.
        refusals: The format of its errors, by the beginning of its paths.
        ports: Its ports, enabled or not.
        max_message_bytes: The largest message of WebSockets, by path; that of others is 1 MiB.
        exposed_headers: Headers of its responses that pages of other origins may read.
        tasks: What runs while the server serves; cancelled at its end.
    """

    routes: Sequence[ApiRoutes] = ()
    refusals: Mapping[str, "Refusal"] = field(default_factory=dict)
    ports: Sequence[ApiPort] = ()
    max_message_bytes: Mapping[str, int] = field(default_factory=dict)
    exposed_headers: Sequence[str] = ()
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()

    @classmethod
    def all_of(cls, apis: Iterable["MountedApi"]) -> "MountedApi":
        """Return what several APIs add together."""
        parts = tuple(apis)
        return cls(
            routes=[each for api in parts for each in api.routes],
            refusals={start: each for api in parts for start, each in api.refusals.items()},
            ports=[each for api in parts for each in api.ports],
            max_message_bytes={
                path: each for api in parts for path, each in api.max_message_bytes.items()
            },
            exposed_headers=[each for api in parts for each in api.exposed_headers],
            tasks=[each for api in parts for each in api.tasks],
        )

    def titled(self, title: str) -> "MountedApi":
        """Return the same with a heading for routes that have none."""
        routes = [replace(each, tag=each.tag or title) for each in self.routes]
        return replace(self, routes=routes)


def _no_checks(settings: Settings) -> Sequence[Callable[[], str]]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSpec:
    """An API of the server.

    Attributes:
        name: The name of its folder.
        title: Its name in the OpenAPI document.
        page: Its page in the documentation, relative to ``docs/``.
        mount: Returns what it adds to a server.
        ports: Return the settings of its ports, which can be checked before a model is loaded.
            Their clients, which have no keys, count as one client with the name of the API, which
            no key can have.
        sources: Names of its live sessions in transcripts, logs and metrics.
        products: Names of the service's models in lower case, which mean the default model unless
            they are also names of weights.
        key_style: How its clients send keys.
        followers: Open what follows the live sessions of a server, by the name of the API.
        client_checks: Returns the programs whose use of it ``auricle doctor`` can check.
        job_answers: Returns how it answers background jobs, by the name in their stored format.
        checks: Returns checks of its settings for ``auricle doctor``; each returns its result, or
            raises ``SetupError``.
        result_keepers: Return what keeps the results of all background jobs.
        forget: Delete some of what it has stored for a removed key, and return how much; they are
            called until nothing is left, and block.
        recognition: Return the recognition of a server, given that of a server without the API.
    """

    name: str
    title: str
    page: str
    mount: "Callable[[Service], MountedApi]"
    ports: "Sequence[Callable[[Settings], KeylessPort]]" = ()
    sources: Sequence[str] = ()
    products: frozenset[str] = frozenset()
    key_style: KeyStyle = BEARER
    followers: "Mapping[str, OpenFollowers]" = field(default_factory=dict)
    client_checks: Callable[[], Sequence[ClientProfile]] = tuple
    checks: Callable[[Settings], Sequence[Callable[[], str]]] = _no_checks
    job_answers: "Callable[[], Mapping[str, JobAnswers]]" = dict
    result_keepers: "Sequence[Callable[[Settings], ResultKeeper]]" = ()
    forget: "Sequence[Callable[[Database, ClientId], int]]" = ()
    recognition: "Sequence[Callable[[Settings, Database, Recognition], Recognition]]" = ()


def reserved_clients(apis: Iterable[ApiSpec]) -> frozenset[ClientId]:
    """Return the names that no key can have: those of clients without a key."""
    return RESERVED_CLIENTS.union(ClientId(api.name) for api in apis if api.ports)
