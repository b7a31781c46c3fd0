"""Rate limits per key: concurrent live sessions, audio seconds and requests per minute.

Each rate limit is a leaky bucket: a minute's quota may be used in one burst and refills evenly.
Audio is charged once its duration is known, which is after admission. A key may therefore exceed
its quota; its requests are then rejected until the excess has drained. A live session is never cut
off; the next one is rejected.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from auricle.values.errors import RateLimited
from auricle.values.types import ClientId

SESSION_RETRY_S = 10
_MINUTE_S = 60.0
_LIMIT = re.compile(r"(sessions|audio_s|requests)=([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """The limits of one key; 0 disables a limit, and ``None`` uses the default in the settings.

    Attributes:
        sessions: Concurrent live sessions.
        audio_s: Seconds of audio per minute.
        requests: Requests and handshakes per minute.
    """

    sessions: int | None = None
    audio_s: int | None = None
    requests: int | None = None

    def text(self) -> str:
        """Return the limits in the syntax of :func:`parse_limits`, separated by spaces."""
        limits = {"sessions": self.sessions, "audio_s": self.audio_s, "requests": self.requests}
        return " ".join(f"{name}={limit}" for name, limit in limits.items() if limit is not None)


NO_OWN_LIMITS = KeyLimits()


def parse_limits(words: Sequence[str]) -> KeyLimits | None:
    """Parse ``NAME=NUMBER`` words; return ``None`` if one is invalid or a duplicate."""
    limits: dict[str, int] = {}
    for word in words:
        limit = _LIMIT.fullmatch(word)
        if limit is None or limit.group(1) in limits:
            return None
        limits[limit.group(1)] = int(limit.group(2))
    return KeyLimits(**limits)


@dataclass(slots=True)
class _LeakyBucket:
    """The level of a leaky bucket at a given time."""

    amount: float = 0.0
    at_s: float = 0.0

    def level(self, limit: float, now: float) -> float:
        """Drain the bucket up to ``now`` (``limit`` per minute) and return its level."""
        self.amount = max(0.0, self.amount - (now - self.at_s) * limit / _MINUTE_S)
        self.at_s = now
        return self.amount


class RateLimiter:
    """The quota that each key has used; ``now`` is monotonic seconds.

    Args:
        defaults: The default limits from the settings.
        limits_of: Returns a key's specific limits; ``None`` for a client without a key, which has
            no limits.
    """

    def __init__(
        self, defaults: KeyLimits, limits_of: Callable[[ClientId], KeyLimits | None]
    ) -> None:
        self._defaults = defaults
        self._limits_of = limits_of
        self._requests: dict[ClientId, _LeakyBucket] = {}
        self._audio: dict[ClientId, _LeakyBucket] = {}

    def charge_request(self, client: ClientId, now: float) -> None:
        """Charge one request.

        Raises:
            RateLimited: The key has used its request quota for this minute.
        """
        limit = self._limits(client).requests
        if not limit:
            return
        use = self._requests.setdefault(client, _LeakyBucket(at_s=now))
        excess = use.level(limit, now) + 1 - limit
        if excess > 0:
            raise RateLimited(
                f"Request limit of this key reached: {limit} requests per minute.",
                _retry_after_s(excess, limit),
            )
        use.amount += 1

    def check_audio(self, client: ClientId, now: float) -> None:
        """Check that the key has audio quota left.

        Raises:
            RateLimited: The key has used its audio quota for this minute.
        """
        limit = self._limits(client).audio_s
        if not limit or (use := self._audio.get(client)) is None:
            return
        excess = use.level(limit, now) - limit
        if excess >= 0:
            raise RateLimited(
                f"Audio limit of this key reached: {limit} seconds of audio per minute.",
                _retry_after_s(excess, limit),
            )

    def charge_audio(self, client: ClientId, audio_s: float, now: float) -> None:
        """Charge received audio, even beyond the remaining quota."""
        if limit := self._limits(client).audio_s:
            use = self._audio.setdefault(client, _LeakyBucket(at_s=now))
            use.amount = use.level(limit, now) + audio_s

    def check_sessions(self, client: ClientId, are_open: int) -> None:
        """Check that the key may open another live session.

        Raises:
            RateLimited: The key has reached its limit of concurrent live sessions.
        """
        limit = self._limits(client).sessions
        if limit and are_open >= limit:
            raise RateLimited(
                f"Session limit of this key reached: {limit} concurrent live sessions.",
                SESSION_RETRY_S,
            )

    def _limits(self, client: ClientId) -> KeyLimits:
        own, defaults = self._limits_of(client), self._defaults
        if own is None:
            return KeyLimits()
        return KeyLimits(
            defaults.sessions if own.sessions is None else own.sessions,
            defaults.audio_s if own.audio_s is None else own.audio_s,
            defaults.requests if own.requests is None else own.requests,
        )


def _retry_after_s(excess: float, limit: float) -> int:
    return max(1, math.ceil(excess * _MINUTE_S / limit))
