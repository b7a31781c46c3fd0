"""Who may use the service.

Speech comes in with a key once any is configured; without one the server binds to loopback only,
unless the operator insists.
``/livez``, ``/readyz``, ``/health`` with its history, ``/metrics``, ``/openapi.json`` and the pages
are open: probes carry no key, and nothing there tells what anybody said. Crash stacks are shown to
the operator's key only.
Keys are told in the settings, in a file (:mod:`.keys`), or in both.
A short-lived token (:mod:`.tokens`) does wherever its key does, but gets no other token.
"""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr
from starlette.datastructures import Headers

from auricle.config import ServerSettings
from auricle.errors import SetupError, Unauthorized
from auricle.server.access.key_file import StoredKey, hashed
from auricle.server.access.rate_limits import NO_OWN_LIMITS, KeyLimits
from auricle.server.access.tokens import TokenSigner, check_time, is_token
from auricle.types import ANONYMOUS, ClientId

_SCHEMES = ("bearer ", "token ")
_KEYS = ("key.", "openai-insecure-api-key.")
"""What a subprotocol begins with that is a key; the second is OpenAI's."""
_INTRODUCTIONS = ("token", "bearer")
"""Subprotocols after which a key comes as the next one, as Deepgram has it."""
_EPHEMERAL = "ek_"
"""OpenAI's short-lived keys begin so: our tokens do where a client of theirs gets one, and behind a
``~`` is more (:mod:`.realtime`)."""


@dataclass(frozen=True, slots=True)
class _Key:
    hash: bytes
    client: ClientId
    tokens: TokenSigner
    limits: KeyLimits = NO_OWN_LIMITS


class Keyring:
    """The keys that are known, by their hashes; comparing takes the same time for each."""

    def __init__(
        self,
        keys: Sequence[SecretStr],
        operator_key: SecretStr | None = None,
        stored: Sequence[StoredKey] | None = None,
    ) -> None:
        """Take the keys of the settings, and those of the file of keys if there is one."""
        self._own = tuple(_parsed(key.get_secret_value()) for key in keys)
        self._keys = self._own
        self._is_open = not keys and stored is None
        self._operator = (
            None if operator_key is None else hashed(operator_key.get_secret_value().encode())
        )
        if stored is not None:
            self.replace_stored(stored)

    @property
    def has_keys(self) -> bool:
        """Whether a key is asked for at all; a file of keys that is empty lets nobody in."""
        return not self._is_open

    def replace_stored(self, stored: Sequence[StoredKey]) -> None:
        """Know these from the file of keys, and no others; takes 9 ms for each new one.

        May be called in any thread.
        """
        known = {key.hash: key.tokens for key in self._keys}
        self._keys = self._own + tuple(
            _Key(
                key.hash,
                ClientId(key.name),
                known.get(key.hash) or TokenSigner(key.hash),
                key.limits,
            )
            for key in stored
        )

    def limits_of(self, client: ClientId) -> KeyLimits | None:
        """Return the limits of a key; ``None`` for who has none. The file's count before others."""
        return next((key.limits for key in reversed(self._keys) if key.client == client), None)

    def identify(
        self, headers: Headers, subprotocols: Sequence[str] = (), token: str = "", *, now: float
    ) -> ClientId:
        """Return whose key or token came with a request.

        Args:
            headers: The request's.
            subprotocols: Those that a WebSocket offers: a browser, which can't set headers there,
                gives its key as ``key.KEY``, or as OpenAI's and Deepgram's clients do.
            token: What came in a WebSocket's address; a key doesn't do there, as addresses are
                logged.
            now: Seconds since 1970.

        Raises:
            Unauthorized: No key or token, or one that isn't known.
            TokenExpired: A token that was good once.
        """
        if self._is_open:
            return ANONYMOUS
        presented = presented_key(headers, subprotocols)
        if (key := self._known(presented.encode("latin-1"))) is not None:
            return key.client
        token = (presented or token).removeprefix(_EPHEMERAL).partition("~")[0]
        author = None
        if is_token(token):
            for key in self._keys:
                if key.tokens.is_author(token):
                    author = key.client
        if author is None:
            raise Unauthorized("Send a valid key: `Authorization: Bearer KEY`.")
        check_time(token, now)
        return author

    def issue_token(self, headers: Headers, ttl_s: int, *, now: float) -> str:
        """Return a token that stands for the key in a request.

        Without keys anything does, and so does this one: a program that asks for tokens works there
        as well.

        Raises:
            Unauthorized: No key, or one that isn't known; a token is none.
        """
        if self._is_open:
            return TokenSigner(secrets.token_bytes()).issue(now, ttl_s)
        if (key := self._known(_bearer(headers))) is None:
            raise Unauthorized("A token is given for a key: `Authorization: Bearer KEY`.")
        return key.tokens.issue(now, ttl_s)

    def is_operator(self, headers: Headers) -> bool:
        """Return whether the operator's key came with a request."""
        if self._operator is None:
            return False
        return hmac.compare_digest(hashed(_bearer(headers)), self._operator)

    def _known(self, presented: bytes) -> _Key | None:
        digest, found = hashed(presented), None
        for key in self._keys:
            if hmac.compare_digest(digest, key.hash):
                found = key
        return found


def presented_key(headers: Headers, subprotocols: Sequence[str] = ()) -> str:
    """Return the key or token that came with a request, right or wrong; empty if there is none."""
    return (_bearer(headers) or _offered(subprotocols)).decode("latin-1")


def _bearer(headers: Headers) -> bytes:
    value = headers.get("authorization", "")
    scheme = next((name for name in _SCHEMES if value.lower().startswith(name)), None)
    key = "" if scheme is None else value[len(scheme) :].strip()
    return key.encode("latin-1")  # the bytes as they came


def _offered(subprotocols: Sequence[str]) -> bytes:
    keys = [
        name.removeprefix(start)
        for name in subprotocols
        for start in _KEYS
        if name.startswith(start)
    ]
    if len(subprotocols) > 1 and subprotocols[0].lower() in _INTRODUCTIONS:
        keys.append(subprotocols[1])
    return next(iter(keys), "").encode("latin-1")  # as above


def _parsed(setting: str) -> _Key:
    """Return what ``key`` or ``name:key`` means."""
    name, colon, key = setting.partition(":")
    if not colon:
        digest = hashed(setting.encode())
        signer = TokenSigner(digest)
        return _Key(digest, ClientId(signer.key_name), signer)
    if not name or not key:
        raise SetupError("AURICLE_API_KEYS holds an empty name or key; write `key` or `name:key`.")
    digest = hashed(key.encode())
    return _Key(digest, ClientId(name), TokenSigner(digest))


def check_exposure(settings: ServerSettings) -> None:
    """Refuse to be reachable from other machines without keys, unless that is wanted.

    Raises:
        SetupError: The host isn't loopback and there are no keys, or the host is unknown.
    """
    if is_exposed(settings) and not settings.insecure_no_auth:
        raise SetupError(
            f"Listening on {settings.host} lets other machines in, so keys are needed: set "
            "AURICLE_API_KEYS=name:key or AURICLE_KEYS_FILE, or keep AURICLE_HOST=127.0.0.1. "
            "If whoever reaches it may use it, say --insecure-no-auth."
        )


def is_exposed(settings: ServerSettings) -> bool:
    """Return whether other machines can use the service without keys.

    Raises:
        SetupError: The host is unknown.
    """
    return not settings.has_keys and not is_loopback(settings.host)


def is_loopback(host: str, variable: str = "AURICLE_HOST") -> bool:
    """Return whether a name or address is reachable from this machine alone.

    Args:
        host: The name or address.
        variable: Where it is from, for the error.

    Raises:
        SetupError: The name is unknown.
    """
    if not host:
        return False  # every interface
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SetupError(f"{variable}={host} is not an address of this machine.") from error
    return all(ipaddress.ip_address(str(entry[4][0]).split("%")[0]).is_loopback for entry in found)
