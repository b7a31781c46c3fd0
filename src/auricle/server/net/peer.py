"""A route's interface to its connection, beyond ASGI."""

from typing import Protocol

from starlette.types import Scope

PEER_EXTENSION = "auricle.peer"
"""Key of the ASGI extension that gives a route its connection."""


class Peer(Protocol):
    """The connection of a live client."""

    received_at: float
    """Monotonic seconds at which bytes were last received."""
    violation_code: int | None
    """Close code for a violation of the WebSocket protocol by the peer; ``None`` if none."""

    @property
    def has_more(self) -> bool:
        """Whether another message is queued, so that ``receive`` would not wait."""
        ...

    def give_up(self, code: int, reason: str) -> None:
        """Close without waiting for buffer space."""
        ...


def peer_of(scope: Scope) -> Peer | None:
    """Return the connection of a request; ``None`` under other ASGI servers."""
    peer: Peer | None = scope.get("extensions", {}).get(PEER_EXTENSION, {}).get("peer")
    return peer
