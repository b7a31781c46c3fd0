"""Who is to blame for a worker's death: strikes, convictions and what follows. No I/O, no clock.

Only a death while a job was alone on its worker counts against it.
"""

import hashlib
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from auricle.errors import PoisonJob, RateLimited
from auricle.types import ANONYMOUS, ClientId, Pcm16

SAME_SIGNATURE_CONVICTS = 2
"""Twice the same signal in the same frame is no coincidence."""
MAX_REMEMBERED = 10_000
"""Most utterances, fingerprints and clients remembered; the oldest are forgotten first."""


def fingerprint(pcm: Pcm16) -> bytes:
    """Return what stands for this audio in the list of the convicted."""
    return hashlib.blake2b(pcm.data, digest_size=16).digest()


@dataclass(slots=True)
class _Record:
    deaths: int = 0
    signatures: list[str] = field(default_factory=list)


class CrashBudget:
    """Convictions of each client's audio; one server counts those of all its workers together.

    Args:
        max_convictions: Convictions within the window that use up a client's budget.
        window_s: How long a conviction counts for a client.
    """

    def __init__(self, max_convictions: int, window_s: float) -> None:
        self._max_convictions = max_convictions
        self._window_s = window_s
        self._convictions: dict[ClientId, deque[float]] = {}

    def charge(self, client: ClientId, now: float) -> None:
        """Count a conviction of this client's audio."""
        self._convictions.setdefault(client, deque(maxlen=self._max_convictions)).append(now)
        _forget_oldest(self._convictions)

    def refuse_exhausted(self, client: ClientId, now: float) -> None:
        """Refuse a client whose budget is used up; callers without a key have none.

        Raises:
            RateLimited: It is used up.
        """
        if client == ANONYMOUS:  # all callers without a key would be refused
            return
        if (wait_s := self.exhausted_for_s(client, now)) > 0:
            raise RateLimited("too much of this key's audio crashed the engine", math.ceil(wait_s))

    def exhausted_for_s(self, client: ClientId, now: float) -> float:
        """Return how long the client's budget stays used up; 0 if it isn't."""
        times = self._convictions.get(client)
        if times is None or len(times) < self._max_convictions:
            return 0.0
        return max(0.0, times[0] + self._window_s - now)


class PoisonTracker:
    """Counts deaths by utterance, and keeps the fingerprints of convicted audio.

    Args:
        attempts: Deaths of any kind that convict.
        ttl_s: How long convicted audio stays refused.
        budget: What convictions are charged to.
    """

    def __init__(self, attempts: int, ttl_s: float, budget: CrashBudget) -> None:
        self._attempts = attempts
        self._ttl_s = ttl_s
        self._budget = budget
        self._records: dict[str, _Record] = {}
        self._poison: dict[bytes, float] = {}

    def record_crash(self, utterance: str, signature: str | None) -> bool:
        """Count a death while alone; return whether it convicts.

        A signature of ``None`` (no frame is known: killed from outside, or out of memory) is like
        no other.
        """
        record = self._records.setdefault(utterance, _Record())
        record.deaths += 1
        if signature is not None:
            record.signatures.append(signature)
        _forget_oldest(self._records)
        same = record.signatures.count(signature or "")
        return same >= SAME_SIGNATURE_CONVICTS or record.deaths >= self._attempts

    def is_suspect(self, utterance: str) -> bool:
        """Whether a worker died while this utterance was alone on it."""
        return utterance in self._records

    def carry_over(self, utterance: str, pcm: Pcm16) -> None:
        """Nobody waits for it any more: its strikes stay with its audio.

        Otherwise poison could be sent for ever by a caller who hangs up each time.
        """
        if (record := self._records.pop(utterance, None)) is not None:
            self._records.setdefault(fingerprint(pcm).hex(), record)

    def clear(self, utterance: str) -> None:
        """It got through: its strikes are forgotten."""
        self._records.pop(utterance, None)

    def quarantine(self, client: ClientId, pcm: Pcm16, now: float) -> None:
        """Refuse this audio for a while, and charge the client's budget."""
        self._poison[fingerprint(pcm)] = now + self._ttl_s
        self._budget.charge(client, now)
        _forget_oldest(self._poison)

    def is_poison(self, pcm: Pcm16, now: float) -> bool:
        """Whether this audio was convicted lately."""
        for key in [key for key, until in self._poison.items() if until <= now]:
            del self._poison[key]
        return bool(self._poison) and fingerprint(pcm) in self._poison

    def refuse_poison(self, pcm: Pcm16, now: float) -> None:
        """Refuse audio that was convicted lately.

        Raises:
            PoisonJob: It was.
        """
        if self.is_poison(pcm, now):
            raise PoisonJob("this audio made the engine crash before; it is refused for a while")


def _forget_oldest(table: dict[Any, Any]) -> None:
    while len(table) > MAX_REMEMBERED:
        del table[next(iter(table))]
