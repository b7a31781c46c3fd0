"""The voices of live sessions with speakers, stored so that their numbers survive a restart."""

from collections.abc import Collection, Sequence

from auricle.ledger.databases.database import Database, Transaction
from auricle.values.voice_keeper import StoredVoices


class DatabaseVoices:
    """The voices of one server's sessions in a database: a :class:`.VoiceStore`.

    Args:
        database: The database.
        gateway: The name of the server.
    """

    def __init__(self, database: Database, gateway: str) -> None:
        self._database = database
        self._gateway = gateway

    def write(self, removed: Collection[str], written: Sequence[StoredVoices], now: float) -> None:
        """Delete the voices of sessions, then store others; see :meth:`.VoiceStore.write`."""

        def work(transaction: Transaction) -> None:
            _delete(transaction, removed)
            for each in written:
                transaction.execute(
                    "INSERT INTO voices (session, gateway, owner, voices, seen_at) "
                    "VALUES (?, ?, ?, ?, ?) ON CONFLICT (session) DO UPDATE "
                    "SET voices = excluded.voices, seen_at = excluded.seen_at",
                    each.session,
                    self._gateway,
                    each.owner,
                    each.voices,
                    now,
                )

        self._database.write("voices", work)

    def take_over(self, seen_after: float, limit: int) -> list[StoredVoices]:
        """Return the newest voices of this server; see :meth:`.VoiceStore.take_over`."""

        def work(transaction: Transaction) -> list[StoredVoices]:
            transaction.execute("DELETE FROM voices WHERE seen_at <= ?", seen_after)
            rows = transaction.execute(
                "SELECT session, owner, voices FROM voices WHERE gateway = ? ORDER BY seen_at DESC",
                self._gateway,
            )
            _delete(transaction, [session for session, *_ in rows[limit:]])
            return [
                StoredVoices(session, owner, bytes(voices))
                for session, owner, voices in rows[:limit]
            ]

        return self._database.write("voices", work)


def _delete(transaction: Transaction, sessions: Collection[str]) -> None:
    for session in sessions:
        transaction.execute("DELETE FROM voices WHERE session = ?", session)
