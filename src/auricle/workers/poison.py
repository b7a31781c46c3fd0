"""Detect audio that kills workers, and quarantine it. No I/O, no clock.

A worker's death counts against a job only if the job was alone on the worker.
"""

import hashlib
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

from auricle.config.sections.queue import QueueSettings
from auricle.values.errors import PoisonJob, RateLimited
from auricle.values.types import ANONYMOUS, ClientId, Pcm16

SAME_SIGNATURE_DEATHS = 2
"""Crashes with the same signal in the same frame that quarantine a job."""
MAX_SIGNATURES = 20
COMMON_SIGNATURE = 5
"""Other utterances among the latest crashes with which a signature says nothing of the audio: most
of a worker's time is spent in a few frames, so that a signal from outside hits these."""
MAX_REMEMBERED = 10_000
"""Maximum entries for each of utterances, fingerprints and clients; the oldest are dropped."""


def fingerprint(pcm: Pcm16) -> bytes:
    """Return the key of this audio in the quarantine table."""
    return hashlib.blake2b(pcm.data, digest_size=16).digest()


@dataclass(slots=True)
class _Record:
    deaths: int = 0
    signatures: list[str] = field(default_factory=list)


class CrashBudget:
    """Count poison jobs of each client, over all worker pools of a server.

    Args:
        max_poison_jobs: Poison jobs within the window that exhaust a client's budget.
        window_s: Length of the window, in seconds.
    """

    def __init__(self, max_poison_jobs: int, window_s: float) -> None:
        self._max_poison_jobs = max_poison_jobs
        self._window_s = window_s
        self._poison_jobs: dict[ClientId, deque[float]] = {}

    @classmethod
    def of(cls, settings: QueueSettings) -> Self:
        """Return the budget of these settings."""
        return cls(settings.max_crashes_per_key, settings.crash_window_s)

    def charge(self, client: ClientId, now: float) -> None:
        """Count a poison job of this client."""
        self._poison_jobs.setdefault(client, deque(maxlen=self._max_poison_jobs)).append(now)
        _forget_oldest(self._poison_jobs)

    def refuse_exhausted(self, client: ClientId, now: float) -> None:
        """Reject a client whose budget is exhausted; clients without a key have no budget.

        Raises:
            RateLimited: The client's budget is exhausted.
        """
        if client == ANONYMOUS:  # would reject all clients without a key
            return
        if (wait_s := self.exhausted_for_s(client, now)) > 0:
            raise RateLimited(
                "Too much audio of this key crashed the engine; try again later.", math.ceil(wait_s)
            )

    def exhausted_for_s(self, client: ClientId, now: float) -> float:
        """Return for how many seconds the client's budget stays exhausted; 0 if it is not."""
        times = self._poison_jobs.get(client)
        if times is None or len(times) < self._max_poison_jobs:
            return 0.0
        return max(0.0, times[0] + self._window_s - now)


class PoisonTracker:
    """Count crashes by utterance, and keep the fingerprints of quarantined audio.

    Args:
        attempts: Crashes of any kind that quarantine a job.
        ttl_s: Duration of the quarantine, in seconds.
        budget: Crash budget that is charged for each poison job.
    """

    def __init__(self, attempts: int, ttl_s: float, budget: CrashBudget) -> None:
        self._attempts = attempts
        self._ttl_s = ttl_s
        self._budget = budget
        self._records: dict[str, _Record] = {}
        self._latest: deque[tuple[str, str]] = deque(maxlen=MAX_SIGNATURES)
        self._poison: dict[bytes, float] = {}

    def record_crash(self, utterance: str, signature: str | None) -> bool:
        """Count a crash while the job was alone; return whether the job is poison.

        A signature of ``None`` (no known frame: killed from outside, or out of memory) never
        matches another.
        """
        record = self._records.setdefault(utterance, _Record())
        record.deaths += 1
        if signature is not None:
            record.signatures.append(signature)
            self._latest.append((signature, utterance))
        _forget_oldest(self._records)
        return record.deaths >= self._attempts or (
            signature is not None
            and record.signatures.count(signature) >= SAME_SIGNATURE_DEATHS
            and not self._is_common(signature)
        )

    def _is_common(self, signature: str) -> bool:
        utterances = {utterance for seen, utterance in self._latest if seen == signature}
        return len(utterances) > COMMON_SIGNATURE

    def is_suspect(self, utterance: str) -> bool:
        """Return whether a worker died while this utterance was alone on it."""
        return utterance in self._records

    def carry_over(self, utterance: str, pcm: Pcm16) -> None:
        """Move the crashes of a cancelled job to its audio.

        Otherwise a client could keep sending poison by disconnecting every time.
        """
        if (record := self._records.pop(utterance, None)) is not None:
            self._records.setdefault(fingerprint(pcm).hex(), record)

    def clear(self, utterance: str) -> None:
        """Reset the crashes of an utterance that succeeded."""
        self._records.pop(utterance, None)

    def quarantine(self, client: ClientId, pcm: Pcm16, now: float) -> None:
        """Quarantine this audio for ``ttl_s``, and charge the client's budget."""
        self._poison[fingerprint(pcm)] = now + self._ttl_s
        self._budget.charge(client, now)
        _forget_oldest(self._poison)

    def is_poison(self, pcm: Pcm16, now: float) -> bool:
        """Return whether this audio is in quarantine."""
        for key in [key for key, until in self._poison.items() if until <= now]:
            del self._poison[key]
        return bool(self._poison) and fingerprint(pcm) in self._poison

    def refuse_poison(self, pcm: Pcm16, now: float) -> None:
        """Reject audio that is in quarantine.

        Raises:
            PoisonJob: The audio is in quarantine.
        """
        if self.is_poison(pcm, now):
            raise PoisonJob("This audio crashed the engine before; it is temporarily rejected.")


def _forget_oldest(table: dict[Any, Any]) -> None:
    while len(table) > MAX_REMEMBERED:
        del table[next(iter(table))]
