"""Short-lived tokens that stand for a key, for clients that must not hold it, such as web pages.

::

    tok1.<expires at, seconds since 1970>.<random hex digits>.<HMAC-SHA256 of all before, base64url>

Each is different, so that two of one second are not mistaken for one. Tokens are stateless. The
signing secret is derived from the key alone, so a token is valid on every server with that key,
survives a restart, and is revoked with the key. The derivation is slow (scrypt): otherwise the
holder of a token could test millions of candidate keys a second against it. All characters are
valid in a WebSocket subprotocol and in a URL.

A reading token has fewer rights than its key: it reads one live session, and nothing else. The
session's id (letters, digits, ``-``) is part of what is signed::

    tok2.<expires at, seconds since 1970>.<session id>.<HMAC-SHA256 of all before, base64url>
"""

import base64
import hashlib
import hmac
import math
import re
import secrets

from auricle.values.errors import TokenExpired

_VERSION = "tok1"
_READING = "tok2"
_SALT = b"auricle token 1"
_COST = {"n": 2**12, "r": 8, "p": 1}  # 9 ms and 4 MB for each key, once


class TokenSigner:
    """Issues and verifies the tokens of one key."""

    def __init__(self, key_hash: bytes) -> None:
        self._secret = hashlib.scrypt(key_hash, salt=_SALT, **_COST, dklen=32)

    @property
    def key_name(self) -> str:
        """Name for an unnamed key in logs.

        It is derived from the slow secret, not from the key's hash: logs may be read by others, who
        could test candidate keys by the million against part of the hash.
        """
        return f"key-{hmac.digest(self._secret, b'name', 'sha256').hex()[:8]}"

    def issue(self, now: float, ttl_s: int) -> str:
        """Issue a token valid for ``ttl_s`` seconds; ``now`` is seconds since 1970."""
        claim = f"{_VERSION}.{math.ceil(now) + ttl_s}.{secrets.token_hex(8)}"
        return f"{claim}.{self._signature(claim)}"

    def issue_reading(self, session_id: str, now: float, ttl_s: int) -> str:
        """Issue a token that reads one session for ``ttl_s`` seconds."""
        claim = f"{_READING}.{math.ceil(now) + ttl_s}.{session_id}"
        return f"{claim}.{self._signature(claim)}"

    def is_author(self, token: str) -> bool:
        """Return whether this key issued a token, in constant time."""
        claim, _, signature = token.rpartition(".")
        return hmac.compare_digest(signature.encode(), self._signature(claim).encode())

    def _signature(self, claim: str) -> str:
        digest = hmac.digest(self._secret, claim.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_token(presented: str) -> bool:
    """Return whether a credential has the form of a token, not of a key."""
    return presented.startswith(f"{_VERSION}.")


def reads(presented: str, session_id: str) -> bool:
    """Return whether a credential has the form of a token that reads this session."""
    parts = presented.split(".")
    if len(parts) != 4 or parts[0] != _READING or parts[2] != session_id:
        return False
    return re.fullmatch("[0-9]{1,15}", parts[1]) is not None


def expiry_of(token: str) -> int:
    """Return when a token expires, in seconds since 1970."""
    return int(token.split(".")[1])


def check_time(token: str, now: float) -> int:
    """Check that a genuine token has not expired; return when it does, in seconds since 1970.

    Raises:
        TokenExpired: The token has expired.
    """
    expires_at = expiry_of(token)
    if now >= expires_at:
        path = "/v1/auth/token" if is_token(token) else "/v1/sessions/ID/token"
        raise TokenExpired(f"The token has expired; get a new one from POST {path}.")
    return expires_at
