"""Short-lived tokens that stand for a key, for those who can't be trusted with it: pages, mostly.

::

    tok1.<expires at, seconds since 1970>.<HMAC-SHA256 of all before, base64url>

Nothing is remembered. The signature's secret follows from the key alone, so a token is good for
every server with that key, and after a restart, and dies with the key. It follows slowly (scrypt):
who holds a token could else try millions of guessed keys a second on it. All characters may stand
in a WebSocket's subprotocol and in a URL. A token that may do less than its key would be ``tok2``.
"""

import base64
import hashlib
import hmac
import math

from auricle.errors import TokenExpired

_VERSION = "tok1"
_SALT = b"auricle token 1"
_COST = {"n": 2**12, "r": 8, "p": 1}  # 9 ms and 4 MB for each key, once


class TokenSigner:
    """Makes and knows the tokens of one key."""

    def __init__(self, key_hash: bytes) -> None:
        self._secret = hashlib.scrypt(key_hash, salt=_SALT, **_COST, dklen=32)

    @property
    def key_name(self) -> str:
        """What a key without a name is called in logs, which others may read.

        Guessed keys can be tried on it as slowly as on a token; on a part of its hash, they could
        be by the million.
        """
        return f"key-{hmac.digest(self._secret, b'name', 'sha256').hex()[:8]}"

    def issue(self, now: float, ttl_s: int) -> str:
        """Return a token; ``now`` is seconds since 1970."""
        claim = f"{_VERSION}.{math.ceil(now) + ttl_s}"
        return f"{claim}.{self._signature(claim)}"

    def is_author(self, token: str) -> bool:
        """Return whether this key's token it is; in the same time for every token."""
        claim, _, signature = token.rpartition(".")
        return hmac.compare_digest(signature.encode(), self._signature(claim).encode())

    def _signature(self, claim: str) -> str:
        digest = hmac.digest(self._secret, claim.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_token(presented: str) -> bool:
    """Return whether this is meant as a token rather than as a key."""
    return presented.startswith(f"{_VERSION}.")


def check_time(token: str, now: float) -> None:
    """Refuse a token, known to be genuine, whose time is over.

    Raises:
        TokenExpired: It is.
    """
    expires_at = int(token.split(".")[1])
    if now >= expires_at:
        raise TokenExpired("This token has expired; get a new one from POST /v1/auth/token.")
