"""What keeps the voices of live sessions, so that the next session of a client has its numbers.

That is a part of :mod:`auricle.workers.kinds.speakers`, which is optional. Voices are bytes that
only this part understands.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from auricle.values.types import ClientId

REWRITE_S = 60.0
"""Interval of writing unchanged voices, which shows that their session still runs, in seconds."""


@dataclass(frozen=True, slots=True)
class StoredVoices:
    """The stored voices of one session.

    Attributes:
        session: Id of the session.
        owner: The client whose session it is.
        voices: The voices.
    """

    session: str
    owner: str
    voices: bytes


class VoiceStore(Protocol):
    """Stores the voices of one server's sessions; its methods block."""

    def write(self, removed: Collection[str], written: Sequence[StoredVoices], now: float) -> None:
        """Delete the voices of sessions, then store others, in one transaction.

        Args:
            removed: Ids of sessions.
            written: New voices; they replace those of the same session.
            now: Unix time in seconds.
        """
        ...

    def take_over(self, seen_after: float, limit: int) -> list[StoredVoices]:
        """Return the newest voices of this server; delete its others, and all that are older.

        Args:
            seen_after: Unix time in seconds; older voices are deleted, also those of servers that
                are gone.
            limit: Maximum number of sessions.
        """
        ...


class _NoVoiceStore:
    """Stores no voices, so that they end with the server."""

    def write(self, removed: Collection[str], written: Sequence[StoredVoices], now: float) -> None:
        pass

    def take_over(self, seen_after: float, limit: int) -> list[StoredVoices]:
        return []


NO_VOICE_STORE: VoiceStore = _NoVoiceStore()


class SessionVoices(Protocol):
    """The voices of a session that runs."""

    @property
    def labelled_finals(self) -> int:
        """Number of finals with speakers; if it is the same, so are the voices."""
        ...

    @property
    def has_voices(self) -> bool:
        """Whether there are known voices."""
        ...

    def voices(self) -> bytes:
        """Return the voices of all speakers so far, also of a lost session; empty: no voice."""
        ...


class VoiceKeeper(Protocol):
    """Keeps the voices of a server's live sessions while clients may continue them."""

    def restore(self, seen_after: float, until: float) -> None:
        """Read the voices of this server's last run; blocks.

        Args:
            seen_after: Unix time in seconds; voices that were written earlier are deleted.
            until: Monotonic time until which their sessions may be continued.

        Raises:
            LedgerUnavailable: The database does not answer.
            LedgerFull: The disk is full.
        """
        ...

    def find(self, client: ClientId, session_id: str) -> bytes:
        """Return the voices of a client's session, which it must have proved to be its own.

        They are empty if none are kept.
        """
        ...

    def open(
        self, session_id: str, voices: SessionVoices, client: ClientId, continues: str
    ) -> None:
        """Keep the voices of a session.

        Args:
            session_id: Its id.
            voices: Its voices.
            client: Its client.
            continues: The id of the session whose voices it continues; empty: of none.
        """
        ...

    def end(self, session_id: str, keep_until: float | None) -> None:
        """Note the end of a session; no-op if its voices are not kept.

        Args:
            session_id: Its id.
            keep_until: Monotonic time until which its client may continue with another session;
                ``None``: it can't.
        """
        ...

    def forget(self, client: ClientId) -> None:
        """Delete the voices of all sessions of a client that have ended."""
        ...

    async def run(self) -> None:
        """Write voices until cancelled; then write what is left."""
        ...


class NoVoiceKeeper:
    """Keeps no voices, and deletes those that an earlier run of the server has stored."""

    def __init__(self, store: VoiceStore) -> None:
        self._store = store

    def restore(self, seen_after: float, until: float) -> None:
        """Delete them."""
        self._store.take_over(seen_after, 0)

    def find(self, client: ClientId, session_id: str) -> bytes:
        """Return none."""
        return b""

    def open(
        self, session_id: str, voices: SessionVoices, client: ClientId, continues: str
    ) -> None:
        """Do nothing."""

    def end(self, session_id: str, keep_until: float | None) -> None:
        """Do nothing."""

    def forget(self, client: ClientId) -> None:
        """Do nothing."""

    async def run(self) -> None:
        """Return at once."""
