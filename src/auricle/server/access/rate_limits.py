"""What a key may use: live sessions at once, seconds of audio a minute, requests a minute.

A minute's worth may be used at once, and comes back evenly. Audio is charged when its length is
known, which is never before it was let in: who goes over the limit owes the rest, and is refused
until that is paid off. Live speech is never cut off; it is the next session that is refused.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from auricle.errors import RateLimited
from auricle.types import ClientId

SESSION_RETRY_S = 10
_MINUTE_S = 60.0
_LIMIT = re.compile(r"(sessions|audio_s|requests)=([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """The limits of one key; 0 is no limit, and ``None`` leaves it to the settings.

    Attributes:
        sessions: Live sessions at once.
        audio_s: Seconds of audio a minute.
        requests: Requests and handshakes a minute.
    """

    sessions: int | None = None
    audio_s: int | None = None
    requests: int | None = None

    def text(self) -> str:
        """Return what :func:`parse_limits` reads, with spaces between."""
        given = {"sessions": self.sessions, "audio_s": self.audio_s, "requests": self.requests}
        return " ".join(f"{name}={most}" for name, most in given.items() if most is not None)


NO_OWN_LIMITS = KeyLimits()


def parse_limits(words: Sequence[str]) -> KeyLimits | None:
    """Return the limits that ``NAME=NUMBER`` words tell; ``None`` if they make no sense."""
    found: dict[str, int] = {}
    for word in words:
        limit = _LIMIT.fullmatch(word)
        if limit is None or limit.group(1) in found:
            return None
        found[limit.group(1)] = int(limit.group(2))
    return KeyLimits(**found)


@dataclass(slots=True)
class _Use:
    """What was used of a minute's worth, and when that was so."""

    amount: float = 0.0
    at_s: float = 0.0

    def left_over(self, most: float, now: float) -> float:
        """Return what is still used at a time: the minute's worth comes back evenly."""
        self.amount = max(0.0, self.amount - (now - self.at_s) * most / _MINUTE_S)
        self.at_s = now
        return self.amount


class Allowances:
    """What every key has used of its limits; ``now`` is monotonic seconds.

    Args:
        defaults: The settings' limits.
        limits_of: Returns a key's own limits; ``None`` for who has no key, and so no limits.
    """

    def __init__(
        self, defaults: KeyLimits, limits_of: Callable[[ClientId], KeyLimits | None]
    ) -> None:
        self._defaults = defaults
        self._limits_of = limits_of
        self._requests: dict[ClientId, _Use] = {}
        self._audio: dict[ClientId, _Use] = {}

    def take_request(self, client: ClientId, now: float) -> None:
        """Count a request.

        Raises:
            RateLimited: It is one too many.
        """
        most = self._limits(client).requests
        if not most:
            return
        use = self._requests.setdefault(client, _Use(at_s=now))
        over = use.left_over(most, now) + 1 - most
        if over > 0:
            raise RateLimited(f"This key may make {most} requests a minute.", _pause_s(over, most))
        use.amount += 1

    def check_audio(self, client: ClientId, now: float) -> None:
        """Refuse audio while a minute's worth or more is used.

        Raises:
            RateLimited: It is.
        """
        most = self._limits(client).audio_s
        if not most or (use := self._audio.get(client)) is None:
            return
        over = use.left_over(most, now) - most
        if over >= 0:
            raise RateLimited(
                f"This key may send {most} seconds of audio a minute.", _pause_s(over, most)
            )

    def charge_audio(self, client: ClientId, audio_s: float, now: float) -> None:
        """Count audio that was taken, be it more than is left."""
        if most := self._limits(client).audio_s:
            use = self._audio.setdefault(client, _Use(at_s=now))
            use.amount = use.left_over(most, now) + audio_s

    def check_sessions(self, client: ClientId, are_open: int) -> None:
        """Refuse a live session beside those that are open.

        Raises:
            RateLimited: There are as many as the key may have.
        """
        most = self._limits(client).sessions
        if most and are_open >= most:
            raise RateLimited(f"This key may have {most} live sessions at once.", SESSION_RETRY_S)

    def _limits(self, client: ClientId) -> KeyLimits:
        own, defaults = self._limits_of(client), self._defaults
        if own is None:
            return KeyLimits()
        return KeyLimits(
            defaults.sessions if own.sessions is None else own.sessions,
            defaults.audio_s if own.audio_s is None else own.audio_s,
            defaults.requests if own.requests is None else own.requests,
        )


def _pause_s(over: float, most: float) -> int:
    return max(1, math.ceil(over * _MINUTE_S / most))
