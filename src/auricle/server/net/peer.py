"""A route's interface to its connection, beyond ASGI."""

from collections.abc import Callable
from typing import Protocol

from starlette.types import Scope

PEER_EXTENSION = "auricle.peer"
"""Key of the ASGI extension that gives a route its connection."""

BODY_EXTENSION = "auricle.body"
"""Key of the ASGI extension that gives a route the body of its response."""


class Peer(Protocol):
    """The connection of a live client."""

    received_at: float
    """Monotonic seconds at which bytes were last received."""
    read_interval_s: float
    """Minimum time between two reads, in seconds; what is sent meanwhile is read together."""
    violation_code: int | None
    """Close code for a violation of the WebSocket protocol by the peer; ``None`` if none."""

    @property
    def has_more(self) -> bool:
        """Whether another message is queued, so that ``receive`` would not wait."""
        ...

    def take_binary(self) -> list[bytes]:
        """Return the queued binary messages before the next message of another kind."""
        ...

    def give_up(self, code: int, reason: str) -> None:
        """Close without waiting for buffer space."""
        ...


def peer_of(scope: Scope) -> Peer | None:
    """Return the connection of a request; ``None`` under other ASGI servers."""
    peer: Peer | None = scope.get("extensions", {}).get(PEER_EXTENSION, {}).get("peer")
    return peer


class BodyWriter(Protocol):
    """The body of a response, once it has started, for parts that must not wait.

    ASGI's ``send`` takes a task for each response, and three times the processor time.
    """

    on_writable: Callable[[], None] | None
    """Called when the client has read enough after :attr:`is_full`; the route sets and unsets it.
    """

    @property
    def is_full(self) -> bool:
        """Whether the client has not read enough of what was written to write more."""
        ...

    def write_body(self, data: bytes) -> None:
        """Write a part of the body; nothing, if the client has disconnected."""
        ...


def body_writer_of(scope: Scope) -> BodyWriter:
    """Return the body of a request's response.

    Raises:
        KeyError: Another ASGI server runs the application.
    """
    writer: BodyWriter = scope["extensions"][BODY_EXTENSION]["writer"]
    return writer
