"""The seam between the ledger's transactions and a database.

The transactions are written once, in SQL that all databases share. A database runs them: it
owns connections, locks, deadlines, migrations and the translation of errors.

All calls block; the server makes them in threads. They may be made from any thread.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from auricle.values.errors import LedgerFull, LedgerUnavailable

T = TypeVar("T")

FAILED_RETRY_S = 60
DAMAGED = "The server's job database is damaged; its operator has to restore it."
REMOVED = (
    "The server's job database was removed or replaced; its operator has to restart the server."
)
READ_ONLY = "The server's job database can't be written; its operator has to repair it."

REFUSALS = (LedgerUnavailable, LedgerFull)
"""Errors of a database that can't store or answer now: the caller tries again later."""

Value = str | int | float | bytes | None
Row = tuple[Any, ...]

Checkpoint = Callable[[str], None]
"""Called at each statement, commit and rename with a description; tests end the process there."""


def no_checkpoint(_: str) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class SearchDialect:
    """How a database searches segments.

    Attributes:
        source: The tables, for a ``FROM`` clause; ``segments`` is one of them.
        condition: The condition with a ``?`` for the query.
        order: The column to sort by, which the database reads in order without sorting.
        query: Returns the query for a word of ``scope`` and words of ``text``; all must occur.
        purge: A statement that removes the words of deleted segments from the index, or a part of
            them if it is large; empty if the database does that by itself.
    """

    source: str
    condition: str
    order: str
    query: Callable[[str, Sequence[str]], str]
    purge: str = ""


class Transaction(Protocol):
    """A transaction in progress.

    Attributes:
        search: How segments are searched.
        for_update: Clause that locks selected rows until the end of the transaction.
        skip_locked: Clause that does so, and leaves out rows that others have locked.
    """

    search: SearchDialect
    for_update: str
    skip_locked: str

    def execute(self, statement: str, *values: Value) -> list[Row]:
        """Run a statement with ``?`` for each value, and return its rows.

        Raises:
            LedgerUnavailable: The database did not answer in time.
            LedgerFull: The disk is full.
        """
        ...

    def announce_work(self) -> None:
        """Wake gateways that wait for work, once the transaction is committed."""
        ...


TransactionStep = Callable[[Transaction], None]
"""Stores further rows in a transaction; it may run again, as the transaction."""


def no_step(_: Transaction) -> None:
    """Store nothing."""


class Database(Protocol):
    """A database that runs transactions."""

    def write(self, name: str, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in one transaction and return its result after the commit.

        ``work`` may run again if the connection breaks. If it breaks in the commit, the transaction
        may or may not have taken effect; so every transaction must be safe to repeat.

        Args:
            name: Name of the transaction, for checkpoints.
            work: Reads and writes rows.

        Raises:
            LedgerUnavailable: The database did not answer in time.
            LedgerFull: The disk is full.
            LedgerFailed: The database is damaged or read-only.
        """
        ...

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work``, which only reads, on a consistent snapshot.

        Raises:
            LedgerUnavailable: The database did not answer in time.
            LedgerFailed: The database is damaged.
        """
        ...

    def wait_for_work(self, timeout_s: float) -> bool:
        """Wait until work was announced; return whether it was.

        Only a hint: announcements may be lost, so callers look for work after each wait.
        """
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
