"""Queue reservations for uploads: an early one while the body arrives, a final one afterwards.

A slow upload must not hold queue room from other requests. So an early reservation expires after
the time that a slow connection needs, and each key and each address holds only a few of them. An
upload without one is still checked against the queue, and reserves room once its body is complete.
"""

import asyncio
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from auricle.values.transcriber import Transcriber
from auricle.values.types import ClientId, ReservationRequest

MAX_EARLY = 2
"""Maximum early reservations per key, and per address."""
EARLY_S = 5.0
EARLY_BYTES_PER_S = 100_000
"""An early reservation lasts ``EARLY_S`` plus the body's transfer time at this rate."""


def early_s(size_bytes: int | None) -> float:
    """Return the lifetime in seconds of an early reservation for a body of this size."""
    return EARLY_S + (size_bytes or 0) / EARLY_BYTES_PER_S


@dataclass(slots=True)
class EarlyReservations:
    """Counts early reservations per owner: a key or an address."""

    _counts: Counter[Hashable] = field(default_factory=Counter)

    def is_free(self, owners: Sequence[Hashable]) -> bool:
        """Return whether each of the owners may hold one more."""
        return all(self._counts[owner] < MAX_EARLY for owner in owners)

    def add(self, owners: Sequence[Hashable]) -> None:
        """Count a reservation for each owner."""
        self._counts.update(owners)

    def remove(self, owners: Sequence[Hashable]) -> None:
        """Stop counting a reservation for each owner."""
        self._counts.subtract(owners)
        for owner in owners:
            if not self._counts[owner]:
                del self._counts[owner]


class UploadReservation:
    """The queue reservation of one upload; :meth:`close` releases it.

    Args:
        transcriber: Owns the queue.
        early: The early reservations of all uploads.
        client: The client whose share of the queue is used.
        owners: The key and address whose early reservations are limited.
    """

    def __init__(
        self,
        transcriber: Transcriber,
        early: EarlyReservations,
        client: ClientId,
        owners: Sequence[Hashable],
    ) -> None:
        self._transcriber = transcriber
        self._early = early
        self._client = client
        self._owners = owners
        self._reservation: str | None = None
        self._model = ""
        self._lapse: asyncio.TimerHandle | None = None

    def reserve_early(
        self, audio_s: float, size_bytes: int | None, max_wait_s: float, model: str = ""
    ) -> None:
        """Reserve queue room of a model before the body is read, for a limited time.

        Raises:
            Overloaded: The queue is full, or the wait would exceed ``max_wait_s``.
            RateLimited: The client has used up its crash budget.
        """
        reservation = self._transcriber.reserve(
            ReservationRequest(self._client, audio_s, max_wait_s, model=model)
        )
        if not self._early.is_free(self._owners):
            self._transcriber.release(reservation)
            return
        self._reservation, self._model = reservation, model
        self._early.add(self._owners)
        self._lapse = asyncio.get_running_loop().call_later(early_s(size_bytes), self.close)

    def reserve(self, audio_s: float, max_wait_s: float, model: str = "") -> str:
        """Return a reservation of a model that does not expire, once the body is complete.

        Raises:
            Overloaded: The queue is full, or the wait would exceed ``max_wait_s``.
            RateLimited: The client has used up its crash budget.
        """
        self._end_early()
        if self._model != model:
            self.close()
        if self._reservation is None:
            self._reservation = self._transcriber.reserve(
                ReservationRequest(self._client, audio_s, max_wait_s, model=model)
            )
            self._model = model
        return self._reservation

    def close(self) -> None:
        """Release the reservation, if there is one."""
        self._end_early()
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            self._transcriber.release(reservation)

    def _end_early(self) -> None:
        lapse, self._lapse = self._lapse, None
        if lapse is not None:
            lapse.cancel()
            self._early.remove(self._owners)
