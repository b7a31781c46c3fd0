"""The voices of live sessions with speakers, kept so that their numbers survive a restart.

Voices are bytes that only the server understands.
"""

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, fields

from auricle.ledger.databases.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class SessionVoices:
    """The voices of one session.

    Attributes:
        session: Id of the session.
        gateway: Name of the server whose session it is.
        owner: The client whose session it is.
        voices: The voices.
    """

    session: str
    gateway: str
    owner: str
    voices: bytes


_COLUMNS = ", ".join(field.name for field in fields(SessionVoices))


class StoredVoices:
    """The voices in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, removed: Collection[str], written: Sequence[SessionVoices], now: float) -> None:
        """Delete the voices of sessions, then store others, in one transaction.

        Args:
            removed: Ids of sessions.
            written: New voices; they replace those of the same session.
            now: Unix time in seconds.
        """

        def work(transaction: Transaction) -> None:
            _delete(transaction, removed)
            for each in written:
                transaction.execute(
                    f"INSERT INTO voices ({_COLUMNS}, seen_at) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (session) DO UPDATE "
                    "SET voices = excluded.voices, seen_at = excluded.seen_at",
                    *astuple(each),
                    now,
                )

        self._database.write("voices", work)

    def take_over(self, gateway: str, seen_after: float, limit: int) -> list[SessionVoices]:
        """Return the newest voices of a gateway; delete its others, and all that are older.

        Args:
            gateway: The name of this server.
            seen_after: Unix time in seconds; older voices are deleted, also those of gateways
                that are gone.
            limit: Maximum number of sessions.
        """

        def work(transaction: Transaction) -> list[SessionVoices]:
            transaction.execute("DELETE FROM voices WHERE seen_at <= ?", seen_after)
            rows = transaction.execute(
                f"SELECT {_COLUMNS} FROM voices WHERE gateway = ? ORDER BY seen_at DESC", gateway
            )
            _delete(transaction, [session for session, *_ in rows[limit:]])
            return [
                SessionVoices(session, gateway, owner, bytes(voices))
                for session, gateway, owner, voices in rows[:limit]
            ]

        return self._database.write("voices", work)


def _delete(transaction: Transaction, sessions: Collection[str]) -> None:
    for session in sessions:
        transaction.execute("DELETE FROM voices WHERE session = ?", session)
