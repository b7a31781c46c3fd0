"""Room in the queue for an upload: reserved for a while as it comes in, and again once it is there.

A body that comes in slowly must not keep room from others. So the early reservation lapses after
the time that a slow connection needs, and an address or a key holds a few of them at most. Whoever
has none is checked against the queue all the same, and gets room when the body is complete.
"""

import asyncio
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from auricle.transcriber import Transcriber
from auricle.types import ClientId

MAX_EARLY = 2
"""Uploads of one key, and of one address, that hold room while they come in."""
EARLY_S = 5.0
EARLY_BYTES_PER_S = 100_000
"""Room is kept for ``EARLY_S`` and the time that the body takes at this rate."""


def early_s(size_bytes: int | None) -> float:
    """Return for how long room is kept for a body of this size that is still coming in."""
    return EARLY_S + (size_bytes or 0) / EARLY_BYTES_PER_S


@dataclass(slots=True)
class EarlyReservations:
    """How many uploads hold room while they come in, by owner: a key, or an address."""

    _held: Counter[Hashable] = field(default_factory=Counter)

    def is_free(self, owners: Sequence[Hashable]) -> bool:
        """Return whether each of the owners may hold one more."""
        return all(self._held[owner] < MAX_EARLY for owner in owners)

    def add(self, owners: Sequence[Hashable]) -> None:
        """Count one."""
        self._held.update(owners)

    def remove(self, owners: Sequence[Hashable]) -> None:
        """Forget one."""
        self._held.subtract(owners)
        for owner in owners:
            if not self._held[owner]:
                del self._held[owner]


class UploadRoom:
    """The room of one upload; :meth:`close` gives it back.

    Args:
        transcriber: Whose queue it is.
        early: The reservations of all uploads that are coming in.
        client: Whose share of the queue is used.
        owners: Those that may hold a few early reservations each.
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
        self._lapse: asyncio.TimerHandle | None = None

    def reserve_early(self, audio_s: float, size_bytes: int | None, max_wait_s: float) -> None:
        """Reserve room before the body is read, for a limited time.

        Raises:
            Overloaded: There is none, or the wait is too long already.
            RateLimited: The client's budget of crashes is used up.
        """
        reservation = self._transcriber.reserve(self._client, audio_s, max_wait_s=max_wait_s)
        if not self._early.is_free(self._owners):
            self._transcriber.release(reservation)
            return
        self._reservation = reservation
        self._early.add(self._owners)
        self._lapse = asyncio.get_running_loop().call_later(early_s(size_bytes), self.close)

    def reserve(self, audio_s: float, max_wait_s: float) -> str:
        """Return the room's reservation now that the body is there; it lapses no more.

        Raises:
            Overloaded: There is no room any more, or the wait is too long.
            RateLimited: The client's budget of crashes is used up.
        """
        self._end_early()
        if self._reservation is None:
            self._reservation = self._transcriber.reserve(
                self._client, audio_s, max_wait_s=max_wait_s
            )
        return self._reservation

    def close(self) -> None:
        """Give the room back, if there is any."""
        self._end_early()
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            self._transcriber.release(reservation)

    def _end_early(self) -> None:
        lapse, self._lapse = self._lapse, None
        if lapse is not None:
            lapse.cancel()
            self._early.remove(self._owners)
