"""Who may use the server: authenticates clients, and checks their origins and rate limits."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from auricle.server.access.connection_limits import ConnectionLimiter
from auricle.server.access.keyring import Keyring, Reader
from auricle.server.access.origins import Origins
from auricle.server.access.rate_limits import RateLimiter
from auricle.server.http.request_log import request_log
from auricle.values.errors import RateLimited
from auricle.values.types import ANONYMOUS, ClientId


@dataclass(frozen=True, slots=True)
class Access:
    """The keys, origins and limits of a server.

    Attributes:
        keyring: The keys and tokens.
        origins: Pages that may use the server.
        rate_limiter: Rate limits per key.
        connection_limiter: Limits of connections per address.
        count_request: Called with the client of each request.
        has_waiting_session: Returns whether a client has a live session that it may resume.
    """

    keyring: Keyring
    origins: Origins
    rate_limiter: RateLimiter
    connection_limiter: ConnectionLimiter
    count_request: Callable[[ClientId], None]
    has_waiting_session: Callable[[ClientId], bool]

    @property
    def keyless_owner(self) -> ClientId | None:
        """The owner of transcripts from a port without keys.

        ``None`` if the HTTP API has keys, because no key could read them.
        """
        return None if self.keyring.has_keys else ANONYMOUS

    def admit(self, request: Request, *, accepts_basic: bool = False) -> ClientId:
        """Authenticate a request, check its origin and rate limit, and return its client.

        Args:
            request: The request.
            accepts_basic: Whether the key may be a password, see :meth:`.Keyring.identify`.

        Raises:
            Unauthorized: The key or token is missing or unknown.
            TokenExpired: The token has expired.
            ForbiddenOrigin: A page of an origin that is not allowed sent it.
            RateLimited: The key has used its requests for this minute.
        """
        client = self._identify(request, accepts_basic=accepts_basic)
        if request.method not in ("GET", "HEAD"):
            self.origins.check_origin(request.headers, request.scope["scheme"])
        self.rate_limiter.charge_request(client, time.monotonic())
        return client

    def admit_key(self, request: Request) -> ClientId:
        """Do what :meth:`admit` does, for a key only.

        A token is held by a visitor of a page; what a key owns is that of all its visitors.

        Raises:
            Unauthorized: There is no key, or a token in its place.
            ForbiddenOrigin: A page of an origin that is not allowed sent it.
            RateLimited: The key has used its requests for this minute.
        """
        client = self.admit(request)
        self.keyring.check_is_key(request.headers)
        return client

    def admit_socket(self, websocket: WebSocket) -> ClientId:
        """Authenticate a WebSocket, check its origin and rate limit, and return its client.

        Raises:
            Unauthorized: The key or token is missing or unknown.
            TokenExpired: The token has expired.
            ForbiddenOrigin: A page of an origin that is not allowed opened it.
            RateLimited: The key has used its requests for this minute.
        """
        subprotocols = websocket.scope.get("subprotocols", [])
        token = websocket.query_params.get("token", "")
        client = self._identify(websocket, subprotocols, token)
        self.origins.check_origin(websocket.headers, websocket.scope["scheme"])
        try:
            self.rate_limiter.charge_request(client, time.monotonic())
        except RateLimited:
            # A client that can't resume its session would lose finals.
            if websocket.query_params.get("resume") != "1" or not self.has_waiting_session(client):
                raise
        return client

    def admit_reader(self, request: Request, session_id: str) -> Reader:
        """Authenticate a request that reads a live session.

        Requests with a reading token are not charged to the key: its readers must not use up what
        its speakers need.

        Raises:
            Unauthorized: There is no key or reading token, or it is invalid.
            TokenExpired: The token has expired.
            RateLimited: The key has used its requests for this minute.
        """
        token = request.query_params.get("token", "")
        reader = self.keyring.identify_reader(request.headers, session_id, token, now=time.time())
        request_log(request.scope).client = reader.client
        self.count_request(reader.client)
        if reader.expires_at is None:
            self.rate_limiter.charge_request(reader.client, time.monotonic())
        return reader

    def _identify(
        self,
        request: HTTPConnection,
        subprotocols: Sequence[str] = (),
        token: str = "",
        *,
        accepts_basic: bool = False,
    ) -> ClientId:
        client = self.keyring.identify(
            request.headers, subprotocols, token, now=time.time(), accepts_basic=accepts_basic
        )
        request_log(request.scope).client = client
        self.count_request(client)
        return client
