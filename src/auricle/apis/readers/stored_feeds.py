"""What the readers of live sessions can get, kept so that a restarted server still has it.

A feed is stored with the numbers and the finals that its readers have got, until its session ends.
A final is bytes, encoded by :mod:`.log`.
"""

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, fields, replace

from auricle.ledger.databases.database import Database, Transaction

RESTART_NUMBERS = 1_000_000
"""Numbers that a feed leaves out after a restart: events without text are not stored, but
readers may have their numbers."""


@dataclass(frozen=True, slots=True)
class StoredFeed:
    """A feed without its finals.

    Attributes:
        session: Id of the session.
        gateway: Name of the server whose session it is.
        owner: The key that may read it.
        source: The API that the speaker uses.
        request_id: Id of the speaker's request.
        started_at: Unix time.
        start_ms: Position of the session's first audio.
        final_ms: Position up to which captions for players were final.
        withdrawn: Withdrawn reading tokens, encoded.
        number: At least the number of the newest event that readers got from earlier runs of the
            server.
    """

    session: str
    gateway: str
    owner: str
    source: str
    request_id: str
    started_at: float
    start_ms: int
    final_ms: int
    withdrawn: str
    number: int


@dataclass(frozen=True, slots=True)
class FeedFinal:
    """A final of a feed; one with the same number is replaced.

    Attributes:
        session: Id of the session.
        number: Its number in the feed.
        final: The final.
        first_number: Number of the oldest final that is kept; those before it are deleted.
    """

    session: str
    number: int
    final: bytes
    first_number: int


@dataclass(frozen=True, slots=True)
class FeedProgress:
    """The position up to which captions for players are final."""

    session: str
    final_ms: int


@dataclass(frozen=True, slots=True)
class FeedEnd:
    """A session has ended: its feed is deleted."""

    session: str


FeedChange = StoredFeed | FeedFinal | FeedProgress | FeedEnd

_FEED = [field.name for field in fields(StoredFeed)]
_COLUMNS = ", ".join(_FEED)


class StoredFeeds:
    """The feeds in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, changes: Sequence[FeedChange], now: float) -> None:
        """Store changes in their order, in one transaction that can be repeated.

        Args:
            changes: The changes.
            now: Unix time in seconds.
        """

        def work(transaction: Transaction) -> None:
            for change in changes:
                _write(transaction, change, now)

        self._database.write("feed", work)

    def touch(self, sessions: Collection[str], now: float) -> None:
        """Note that a server still has these sessions; ``now`` is Unix time in seconds."""

        def work(transaction: Transaction) -> None:
            for session in sessions:
                transaction.execute("UPDATE feeds SET seen_at = ? WHERE session = ?", now, session)

        self._database.write("feed", work)

    def forget(self, owner: str, seen_before: float) -> int:
        """Delete the feeds of an owner that no server has any more, and return their number.

        Args:
            owner: The owner.
            seen_before: Unix time in seconds; feeds that were written later stay.
        """

        def work(transaction: Transaction) -> int:
            statement = "DELETE FROM feeds WHERE owner = ? AND seen_at < ? RETURNING session"
            return len(transaction.execute(statement, owner, seen_before))

        return self._database.write("feed", work)

    def take_over(
        self, gateway: str, seen_after: float, limit: int
    ) -> list[tuple[StoredFeed, list[tuple[int, bytes]]]]:
        """Return the newest feeds of a gateway with their numbered finals; delete its others.

        Args:
            gateway: The name of this server, which has no feed yet.
            seen_after: Unix time in seconds; older feeds are deleted.
            limit: Maximum number of feeds.
        """

        def work(
            transaction: Transaction,
        ) -> list[tuple[StoredFeed, list[tuple[int, bytes]]]]:
            rows = transaction.execute(
                f"SELECT {_COLUMNS} FROM feeds WHERE gateway = ? AND seen_at > ? "
                "ORDER BY seen_at DESC LIMIT ?",
                gateway,
                seen_after,
                limit,
            )
            feeds = [StoredFeed(*row) for row in rows]
            kept = {feed.session for feed in feeds}
            for (session,) in transaction.execute(
                "SELECT session FROM feeds WHERE gateway = ?", gateway
            ):
                if session not in kept:
                    _write(transaction, FeedEnd(session), seen_after)
            return [_restarted(transaction, feed) for feed in feeds]

        return self._database.write("feed", work)


def _restarted(
    transaction: Transaction, feed: StoredFeed
) -> tuple[StoredFeed, list[tuple[int, bytes]]]:
    """Return a feed with its finals, whose next numbers no reader has."""
    rows = transaction.execute(
        "SELECT number, final FROM feed_finals WHERE session = ? ORDER BY number", feed.session
    )
    finals = [(number, bytes(final)) for number, final in rows]
    newest = max([feed.number, *(number for number, _ in finals)]) + RESTART_NUMBERS
    transaction.execute("UPDATE feeds SET number = ? WHERE session = ?", newest, feed.session)
    return replace(feed, number=newest), finals


def _write(transaction: Transaction, change: FeedChange, now: float) -> None:
    match change:
        case StoredFeed():
            transaction.execute(
                f"INSERT INTO feeds ({_COLUMNS}, seen_at) "
                f"VALUES ({', '.join('?' * (len(_FEED) + 1))}) ON CONFLICT (session) DO UPDATE "
                "SET withdrawn = excluded.withdrawn, seen_at = excluded.seen_at",
                *astuple(change),
                now,
            )
        case FeedFinal(session, number, final, first_number):
            transaction.execute(
                "INSERT INTO feed_finals (session, number, final) VALUES (?, ?, ?) "
                "ON CONFLICT (session, number) DO UPDATE SET final = excluded.final",
                session,
                number,
                final,
            )
            transaction.execute(
                "DELETE FROM feed_finals WHERE session = ? AND number < ?", session, first_number
            )
        case FeedProgress(session, final_ms):
            transaction.execute(
                "UPDATE feeds SET final_ms = ?, seen_at = ? WHERE session = ?",
                final_ms,
                now,
                session,
            )
        case FeedEnd(session):
            transaction.execute("DELETE FROM feeds WHERE session = ?", session)
