"""Authentication by keys and tokens.

Once a key is configured, every request that sends audio needs one. Without keys the server binds to
loopback only, unless the operator overrides that.
``/livez``, ``/readyz``, ``/health`` with its history, ``/metrics``, ``/openapi.json`` and the pages
need no key: probes carry none, and these endpoints return no transcripts. Crash stacks require the
operator key.
Keys come from the settings, from a key file (:mod:`.key_file`), or from both.
They are sent as ``Authorization: Bearer KEY``, or as the clients of an API send them
(:mod:`.key_style`).
A short-lived token (:mod:`.tokens`) is accepted wherever its key is, except to issue tokens, list
jobs, have webhooks sent, read or delete kept transcripts, and read live sessions.
A reading token is accepted to read its live session only.
"""

import base64
import hmac
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pydantic import SecretStr
from starlette.datastructures import Headers

from auricle.server.access.key_file import StoredKey, hashed
from auricle.server.access.key_style import BEARER, KeyStyle
from auricle.server.access.rate_limits import NO_OWN_LIMITS, KeyLimits
from auricle.server.access.tokens import TokenSigner, check_time, is_token, reads
from auricle.values.errors import SetupError, Unauthorized
from auricle.values.types import ANONYMOUS, RESERVED_CLIENTS, ClientId

_BASIC = "basic "


@dataclass(frozen=True, slots=True)
class _Key:
    hash: bytes
    client: ClientId
    tokens: TokenSigner
    limits: KeyLimits = NO_OWN_LIMITS


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a live session.

    Attributes:
        client: The key, or the key of the token.
        expires_at: When the token expires, in seconds since 1970; ``None`` for a key.
        token: The reading token, unverified on a server without keys; empty for a key.
    """

    client: ClientId
    expires_at: int | None = None
    token: str = ""


class Keyring:
    """The valid keys, stored as hashes and compared in constant time."""

    def __init__(
        self,
        keys: Sequence[SecretStr],
        operator_key: SecretStr | None = None,
        stored: Sequence[StoredKey] | None = None,
        style: KeyStyle = BEARER,
        reserved: Collection[str] = RESERVED_CLIENTS,
    ) -> None:
        """Load the keys from the settings and, if there is one, the key file."""
        self.style = style
        self._own = tuple(_parsed(key.get_secret_value(), reserved) for key in keys)
        self._keys = self._own
        self._is_open = not keys and stored is None
        self._operator = (
            None if operator_key is None else hashed(operator_key.get_secret_value().encode())
        )
        if stored is not None:
            self.replace_stored(stored)

    @property
    def has_keys(self) -> bool:
        """Whether requests need a key; with an empty key file all requests are rejected."""
        return not self._is_open

    def replace_stored(self, stored: Sequence[StoredKey]) -> None:
        """Replace all keys loaded from the key file; takes 9 ms for each new key.

        Thread-safe.
        """
        signers = {key.hash: key.tokens for key in self._keys}
        self._keys = self._own + tuple(
            _Key(
                key.hash,
                ClientId(key.name),
                signers.get(key.hash) or TokenSigner(key.hash),
                key.limits,
            )
            for key in stored
        )

    def limits_of(self, client: ClientId) -> KeyLimits | None:
        """Return a key's limits; ``None`` without a key. The key file overrides the settings."""
        return next((key.limits for key in reversed(self._keys) if key.client == client), None)

    def identify(
        self,
        headers: Headers,
        subprotocols: Sequence[str] = (),
        token: str = "",
        *,
        now: float,
        accepts_basic: bool = False,
    ) -> ClientId:
        """Authenticate a request and return the client that its key or token belongs to.

        Args:
            headers: The request's headers.
            subprotocols: The WebSocket subprotocols offered; one may carry the key.
            token: The token in a WebSocket's URL. Keys are not accepted there, as URLs are logged.
            now: Seconds since 1970.
            accepts_basic: Whether the key may be the password of ``Authorization: Basic``, for
                programs that can only be given a URL (``http://:KEY@HOST``).

        Raises:
            Unauthorized: There is no key or token, or it is invalid.
            TokenExpired: The token is genuine but has expired.
        """
        if self._is_open:
            return ANONYMOUS
        presented = self.style.presented(headers, subprotocols)
        if accepts_basic and not presented:
            presented = _password(headers)
        if (key := self._find(presented.encode("latin-1"))) is not None:
            return key.client
        token = self.style.token_of(presented or token)
        author = None
        if is_token(token):
            for key in self._keys:
                if key.tokens.is_author(token):
                    author = key.client
        if author is None:
            raise Unauthorized("Send a valid key: `Authorization: Bearer KEY`.")
        check_time(token, now)
        return author

    def identify_reader(
        self, headers: Headers, session_id: str, token: str = "", *, now: float
    ) -> Reader:
        """Authenticate a request that reads a live session: by a key, or a token for this session.

        Args:
            headers: The request's headers.
            session_id: The session in the request's path.
            token: The reading token in its URL. Keys are not accepted there, as URLs are logged.
            now: Seconds since 1970.

        Raises:
            Unauthorized: There is no key or reading token, or it is invalid.
            TokenExpired: The token is genuine but has expired.
        """
        presented = self._sent(headers)
        token = presented.decode("latin-1") or token
        if self._is_open:
            return Reader(ANONYMOUS, token=token)
        if (key := self._find(presented)) is not None:
            return Reader(key.client)
        author = None
        if reads(token, session_id):
            for key in self._keys:
                if key.tokens.is_author(token):
                    author = key.client
        if author is None:
            raise Unauthorized(
                "Send a valid key (`Authorization: Bearer KEY`) or a reading token of this session."
            )
        return Reader(author, check_time(token, now), token)

    def check_is_key(self, headers: Headers) -> None:
        """Check that a request carries a key, not a token; a server without keys needs neither.

        Raises:
            Unauthorized: It carries none.
        """
        if not self._is_open and self._find(self._sent(headers)) is None:
            raise Unauthorized("A token is not accepted here; use its key.")

    def issue_token(self, headers: Headers, ttl_s: int, *, now: float) -> str:
        """Issue a token for the key in a request.

        Raises:
            Unauthorized: There is no valid key; a token can't issue tokens.
        """
        return self._signer(headers).issue(now, ttl_s)

    def issue_reading_token(
        self, headers: Headers, session_id: str, ttl_s: int, *, now: float
    ) -> str:
        """Issue a token that reads one live session; see :meth:`issue_token`."""
        return self._signer(headers).issue_reading(session_id, now, ttl_s)

    def has_issued(self, client: ClientId, token: str) -> bool:
        """Return whether a key of a client issued a token; always true on a server without keys."""
        keys = [key for key in self._keys if key.client == client]
        return self._is_open or any(key.tokens.is_author(token) for key in keys)

    def is_operator(self, headers: Headers) -> bool:
        """Return whether a request carries the operator key."""
        if self._operator is None:
            return False
        return hmac.compare_digest(hashed(self._sent(headers)), self._operator)

    def _signer(self, headers: Headers) -> TokenSigner:
        """Return the signer of the key in a request.

        A server without keys issues tokens too, although it needs none, so that clients which
        request one work unchanged.
        """
        if self._is_open:
            return TokenSigner(secrets.token_bytes())
        if (key := self._find(self._sent(headers))) is None:
            raise Unauthorized("Tokens are issued for keys only: `Authorization: Bearer KEY`.")
        return key.tokens

    def _sent(self, headers: Headers) -> bytes:
        return self.style.sent(headers).encode("latin-1")  # the original bytes

    def _find(self, presented: bytes) -> _Key | None:
        digest, match = hashed(presented), None
        for key in self._keys:
            if hmac.compare_digest(digest, key.hash):
                match = key
        return match


def _password(headers: Headers) -> str:
    """Return the password of ``Authorization: Basic``, as Latin-1; empty if there is none."""
    value = headers.get("authorization", "")
    if not value.lower().startswith(_BASIC):
        return ""
    try:
        decoded = base64.b64decode(value[len(_BASIC) :].strip(), validate=True)
    except ValueError:
        return ""
    return decoded.partition(b":")[2].decode("latin-1")


def _parsed(setting: str, reserved: Collection[str]) -> _Key:
    """Parse ``key`` or ``name:key``."""
    name, colon, key = setting.partition(":")
    if not colon:
        digest = hashed(setting.encode())
        signer = TokenSigner(digest)
        return _Key(digest, ClientId(signer.key_name), signer)
    if not name or not key:
        raise SetupError("AURICLE_API_KEYS has an empty name or key; use `key` or `name:key`.")
    if name in reserved:
        raise SetupError(f"AURICLE_API_KEYS has a key named {name}, which is reserved; rename it.")
    digest = hashed(key.encode())
    return _Key(digest, ClientId(name), TokenSigner(digest))
