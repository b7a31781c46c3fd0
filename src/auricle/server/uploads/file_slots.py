"""File slots: limit concurrent uploads and transcriptions of files, in total and per owner.

A slow body must not keep a slot from other clients. While slots are free, any rate is accepted that
:func:`.body_chunks` accepts. If none is free, a body that is slower than
:data:`.EARLY_BYTES_PER_S` yields its slot to a client that holds fewer: its request is refused, and
has to be repeated.
"""

import contextlib
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

import anyio
from starlette.types import Message, Receive

from auricle.server.uploads.upload_room import early_s
from auricle.values.errors import Overloaded
from auricle.values.types import ANONYMOUS

RETRY_S = 10
"""Retry-After when no file slot is free. Slots take minutes to free; clients should retry sooner.
"""
OWNER_SHARE = 0.75
"""Maximum share of the slots that one key, or without keys one address, may hold."""


@dataclass(slots=True, eq=False)
class FileSlot:
    """A slot of one request, which receives its body through :meth:`receive`.

    Attributes:
        owner: The key, or without keys the network of the address.
        began_at: Monotonic time.
        received_bytes: Size of the part of the body that was received.
        is_received: Whether the whole body was received.
    """

    owner: Hashable
    began_at: float
    is_received: bool = False
    received_bytes: int = 0
    _has_yielded: bool = False
    _receiving: anyio.CancelScope | None = None

    def is_slow(self, now: float) -> bool:
        """Return whether the body is slower than a slow connection."""
        return not self.is_received and now - self.began_at > early_s(self.received_bytes)

    def bytes_per_s(self, now: float) -> float:
        """Return the average rate of the body."""
        return self.received_bytes / max(1e-9, now - self.began_at)

    def yield_to_other(self) -> None:
        """End the upload."""
        self._has_yielded = True
        if self._receiving is not None:
            self._receiving.cancel()

    async def receive(self, receive: Receive) -> Message:
        """Return the request's next message.

        Raises:
            Overloaded: The slot was needed for another client.
        """
        message: Message = {"type": "http.disconnect"}
        if not self._has_yielded:
            with anyio.CancelScope() as self._receiving:
                message = await receive()
            self._receiving = None
        if self._has_yielded:
            raise Overloaded(
                "The upload was slow while other clients waited for a slot; try again later.",
                RETRY_S,
            )
        self.received_bytes += len(message.get("body", b""))
        self.is_received = not message.get("more_body", False)
        return message


@dataclass(slots=True)
class FileSlots:
    """The file slots of a server. ``now`` is monotonic time in seconds."""

    total: int
    _slots: set[FileSlot] = field(default_factory=set)

    @property
    def taken(self) -> int:
        """Number of slots that are taken."""
        return len(self._slots)

    @contextlib.contextmanager
    def take(self, owner: Hashable, now: float, *, is_received: bool = False) -> Iterator[FileSlot]:
        """Hold a file slot.

        Args:
            owner: The key, or without keys the network of the address. ``ANONYMOUS`` stands for
                several clients, and has no share.
            now: Monotonic time.
            is_received: Whether the body was received before.

        Raises:
            Overloaded: All slots are taken, or this owner holds its maximum share.
        """
        held = Counter(slot.owner for slot in self._slots)
        if owner != ANONYMOUS and held[owner] >= self.total * OWNER_SHARE:
            raise Overloaded(
                "Too many files in progress for this key or address; try again later.", RETRY_S
            )
        if self.taken >= self.total and not self._make_room(owner, held, now):
            raise Overloaded("Too many files in progress on this server; try again later.", RETRY_S)
        slot = FileSlot(owner, now, is_received)
        self._slots.add(slot)
        try:
            yield slot
        finally:
            self._slots.discard(slot)

    def _make_room(self, owner: Hashable, held: Counter[Hashable], now: float) -> bool:
        """End the slowest upload of the owner with most slots; return whether there is one."""
        slow = [
            slot for slot in self._slots if held[slot.owner] > held[owner] and slot.is_slow(now)
        ]
        if not slow:
            return False
        slowest = min(slow, key=lambda slot: (-held[slot.owner], slot.bytes_per_s(now)))
        self._slots.remove(slowest)
        slowest.yield_to_other()
        return True
