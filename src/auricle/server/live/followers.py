"""Who follows live sessions besides their speakers, such as an API for readers.

The registry calls its followers as sessions begin, continue and end. No call waits, except
:meth:`.SessionFollower.until_stored`.
"""

from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry

from auricle.config.settings import Settings
from auricle.ledger.databases.database import Database
from auricle.values.events import SessionEvent
from auricle.values.types import ClientId


@dataclass(frozen=True, slots=True)
class FollowerContext:
    """What followers of a server's sessions are made of.

    Attributes:
        settings: All settings.
        database: The server's database.
        gateway: The name by which the database distinguishes the sessions of this server; ``None``:
            they can't be distinguished from those of other servers.
        metrics: The registry of the server's metrics.
    """

    settings: Settings
    database: Database
    gateway: str | None
    metrics: CollectorRegistry


class SessionFollower(Protocol):
    """Follows one session."""

    def publish(self, event: SessionEvent) -> None:
        """Receive an event, a final once."""
        ...

    def finals_until(self, sample: int) -> None:
        """Note that all speech before a position is in finals that were published."""
        ...

    def end(self, reason: str) -> None:
        """Note that the speaker has closed the session."""
        ...

    async def until_stored(self) -> None:
        """Wait until all finals are stored, for a limited time, if they are to be stored."""
        ...


class SessionFollowers(Protocol):
    """Follows all sessions of a server, by their ids."""

    def open(
        self,
        session_id: str,
        owner: ClientId | None,
        source: str,
        start_sample: int = 0,
        request_id: str = "",
        *,
        can_return: bool = False,
    ) -> SessionFollower:
        """Follow a new session, or continue to follow one whose speaker was awaited.

        Args:
            session_id: The session's id.
            owner: The key that may read it; ``None``: no key may.
            source: The API that the speaker uses.
            start_sample: Position of the session's first audio.
            request_id: Id of the speaker's request.
            can_return: Whether the speaker can continue the session after a restart of the server.
        """
        ...

    def is_waiting(self, client: ClientId, session_id: str) -> bool:
        """Return whether a client's session is followed that waits for its speaker."""
        ...

    def is_logged(self, session_id: str) -> bool:
        """Return whether a session is followed that survives a restart of the server."""
        ...

    def await_speaker(self, session_id: str, until: float) -> None:
        """Wait until a monotonic time for another session of the speaker, if it can continue."""
        ...

    def complete(self, session_id: str, sample: int) -> None:
        """Note that all speech before a position is in finals."""
        ...

    def set_away(self, session_id: str, *, is_away: bool) -> None:
        """Note whether the speaker has no connection."""
        ...

    def suspend(self, session_id: str) -> None:
        """Note that the next server continues the session."""
        ...

    def suspend_waiting(self) -> None:
        """Note that the next server continues all sessions whose speakers have not returned."""
        ...

    def end(self, session_id: str, reason: str, sample: int, now: float) -> None:
        """Note that a session has ended.

        Args:
            session_id: The session's id.
            reason: ``closed``, ``speaker_left`` or ``draining``.
            sample: Position of the session's end.
            now: Monotonic seconds.
        """
        ...

    def tick(self, now: float) -> None:
        """Do what is due; called twice a second."""
        ...
